"""Captures are due at intervals, and a budget lasts for a training of unknown length."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import pytest

from tb_gradascent.training.budget import Budget
from tb_gradascent.training.health import Health
from tb_gradascent.training.overhead import Overhead
from tb_gradascent.training.pacer import Pacer, Schedule


class File:
    """A file that samples of one size fill."""

    size = 0
    written = 0


class Made(NamedTuple):
    """What a simulated training captured.

    Attributes:
        steps: Of the captures.
        samples: In each capture.
        used: The part of the budget that was used.
    """

    steps: list[int]
    samples: list[int]
    used: float


def simulate(length: int, *, budget: int, sample: int, every: int = 1, top_k: int = 1) -> Made:
    """Train for so many steps; each sample takes the same number of bytes."""
    file, bytes_left = File(), Budget(budget)
    bytes_left.watch(file)
    pacer = Pacer(every, top_k, bytes_left, Overhead(None), Health(strict=True))
    steps, samples = [], []
    for step in range(0, length, every):
        if pacer.is_due(step):
            pacer.take_due(step)
            made = pacer.top_k
            if file.size + made * sample <= budget:
                file.size += made * sample
                file.written += made
                steps.append(step)
                samples.append(made)
    return Made(steps, samples, file.size / budget)


def gaps(made: Made, length: int) -> list[tuple[int, int]]:
    """Each gap between two captures, with the step at its end."""
    return [(after - before, after) for before, after in itertools.pairwise([*made.steps, length])]


@pytest.mark.parametrize("sample", [5_000, 100_000, 250_000, 380_000])
def test_a_long_training_on_photographs_is_captured_at_least_400_times(sample: int) -> None:
    """At the defaults, with samples of 3×224×224: no gap is longer than 2 % of the steps so far."""
    length = 450_000
    made = simulate(length, budget=256_000_000, sample=sample, every=100, top_k=4)
    assert len(made.steps) >= 400
    assert made.used <= 1
    for gap, step in gaps(made, length):
        assert gap <= max(100, 0.02 * step)


def test_captures_hold_fewer_samples_before_they_become_rarer_than_planned() -> None:
    made = simulate(450_000, budget=256_000_000, sample=250_000, every=100, top_k=4)
    assert made.samples[0] == 4
    assert made.samples == sorted(made.samples, reverse=True)
    assert made.samples[-1] == 1


@pytest.mark.parametrize("length", [100, 500, 2_000, 6_000, 25_000, 100_000])
def test_captures_cover_a_training_of_any_length(length: int) -> None:
    """400 captures fit."""
    made = simulate(length, budget=400, sample=1)
    assert made.steps[0] == 0
    assert made.used < 1
    assert made.steps[-1] > 0.9 * length
    # At each e-fold of the steps a quarter of what is left may be spent: by 100,000 steps that is
    # all but a tenth.
    for gap, step in gaps(made, length):
        assert gap <= max(1, 0.1 * step)


def test_the_interval_is_kept_while_the_budget_is_large() -> None:
    made = simulate(1000, budget=8000, sample=1, every=10)
    assert made.steps == list(range(0, 1000, 10))


def test_a_budget_too_small_for_one_capture_captures_nothing() -> None:
    assert simulate(1000, budget=5, sample=10).steps == []


def test_a_step_that_goes_backwards_is_due_and_restarts_the_interval() -> None:
    """A loop set back to a checkpoint, within an interval and across its end."""
    schedule = Schedule(10)
    captured = []
    for step in (25, 26, 21, 22, 29, 30, 31, 8, 9, 10, 11):
        if schedule.is_due(step):
            schedule.mark(step)
            captured.append(step)
    assert captured == [25, 21, 30, 8, 10]


def test_a_stretched_schedule_waits_for_as_many_multiples() -> None:
    schedule = Schedule(10)
    captured = []
    for step in range(3, 100):
        if schedule.is_due(step, 3):
            schedule.mark(step)
            captured.append(step)
    assert captured == [3, 30, 60, 90]
