"""Captures are due at intervals, and a budget lasts for a training of unknown length."""

from __future__ import annotations

import itertools

import pytest

from tb_gradascent.training.pacer import Schedule, stretch


def simulate(steps: int, *, budget: int, cost: int, every: int = 1) -> list[int]:
    """The steps that a hook captures if each capture has the same cost."""
    schedule, used, captured = Schedule(every), 0, []
    for step in range(steps):
        if schedule.is_due(step, stretch(used, budget)):
            schedule.mark(step)
            if used + cost <= budget:
                used += cost
                captured.append(step)
    return captured


def test_the_interval_doubles_as_the_budget_is_used() -> None:
    used = {n: stretch(n, 800) for n in (0, 99, 100, 250, 400, 699, 700, 749, 750, 775, 790)}
    assert used == {
        0: 1,
        99: 1,
        100: 2,
        250: 4,
        400: 16,
        699: 64,
        700: 128,
        749: 128,
        750: 256,
        775: 512,
        790: 1024,
    }
    assert stretch(800, 800) == stretch(10_000, 800) == 1 << 62


@pytest.mark.parametrize("length", [100, 500, 2_000, 6_000])
def test_captures_cover_a_training_of_any_length(length: int) -> None:
    """400 captures fit; the longest training would make 6,000."""
    captured = simulate(length, budget=400, cost=1)
    gaps = [b - a for a, b in itertools.pairwise([*captured, length])]
    even = max(1.0, length / 400)
    assert captured[0] == 0
    assert len(captured) <= 400
    assert max(gaps) <= 8 * even, "as the docstring promises"


def test_a_very_long_training_is_still_captured_late() -> None:
    captured = simulate(25_000, budget=400, cost=1)
    assert len(captured) <= 400
    assert captured[-1] > 12_500


def test_the_interval_is_kept_until_an_eighth_of_the_budget_is_used() -> None:
    assert simulate(100, budget=800, cost=1, every=10) == list(range(0, 100, 10))


def test_a_budget_too_small_for_one_capture_captures_nothing() -> None:
    assert simulate(1000, budget=5, cost=10) == []


def test_a_step_that_goes_backwards_is_due_and_restarts_the_interval() -> None:
    """A loop set back to a checkpoint, within an interval and across its end."""
    schedule = Schedule(10)
    captured = []
    for step in (25, 26, 21, 22, 29, 30, 31, 8, 9, 10, 11):
        if schedule.is_due(step):
            schedule.mark(step)
            captured.append(step)
    assert captured == [25, 21, 30, 8, 10]
