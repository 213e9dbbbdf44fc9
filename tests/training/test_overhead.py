"""Captures keep to a part of the training's time, by a clock that the tests move."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tb_gradascent.training import overhead
from tb_gradascent.training.budget import Budget
from tb_gradascent.training.health import Health
from tb_gradascent.training.overhead import FREE_SECONDS, Overhead
from tb_gradascent.training.pacer import Pacer

TWENTY_MINUTES = 1200.0
STEP_SECONDS = 0.1

#: Of a capture's cost, the part that falls to the writing thread.
WRITER = 0.25


class Clock:
    """A clock that only the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def perf_counter(self) -> float:
        """Stand in for ``time.perf_counter``."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of the module, with the free seconds that all other tests do without."""
    clock = Clock()
    monkeypatch.setattr(overhead, "time", SimpleNamespace(perf_counter=clock.perf_counter))
    # The value at import: a fixture of the whole run lifts it.
    monkeypatch.setattr(overhead, "FREE_SECONDS", FREE_SECONDS)
    return clock


@dataclasses.dataclass(frozen=True)
class Capture:
    """A capture of a simulated training.

    Attributes:
        step: The step at which it was made.
        trained: The training's own seconds until then.
        seconds: What all captures took, this one included.
        growth: By how much it took longer than each one before it could say.
        every: The interval afterwards.
    """

    step: int
    trained: float
    seconds: float
    growth: float
    every: int


def pacer_of(part: float | None, every: int) -> Pacer:
    """A pacer whose budget lasts for ever."""
    return Pacer(every, 4, Budget(10**15), Overhead(part), Health(strict=True))


def simulate(
    clock: Clock,
    cost: Callable[[int], float],
    *,
    part: float | None = 0.01,
    every: int = 10,
    length: float = TWENTY_MINUTES,
    agreed: int | None = None,
) -> list[Capture]:
    """Train for so many seconds; capture number n takes ``cost(n)`` seconds."""
    pacer = pacer_of(part, every)
    if agreed is not None:
        pacer.agree(agreed)
    captures: list[Capture] = []
    costs: list[float] = []
    in_loop = in_writer = 0.0
    for step in range(int(length / STEP_SECONDS)):
        clock.now += STEP_SECONDS
        pacer.count_step()
        if not pacer.is_due(step):
            continue
        assert pacer.take_due(step) == [pacer.main]
        new = cost(len(costs))
        expected = max(costs[-1], sum(costs) / len(costs)) if costs else 0.0
        costs.append(new)
        clock.now += new * (1 - WRITER)
        in_loop += new * (1 - WRITER)
        in_writer += new * WRITER
        pacer.account(new * (1 - WRITER), in_writer)
        assert pacer.overhead.seconds == pytest.approx(in_loop + in_writer)
        captures.append(
            Capture(
                step=step,
                trained=step * STEP_SECONDS,
                seconds=pacer.overhead.seconds,
                growth=max(new - expected, 0.0),
                every=pacer.every,
            )
        )
    return captures


@pytest.mark.parametrize("part", [0.001, 0.01, 0.2])
@pytest.mark.parametrize("seconds", [0.001, 0.03, 0.1, 0.7, 2.5, 4.9])
def test_captures_of_one_cost_never_take_more_than_their_part(
    clock: Clock, seconds: float, part: float
) -> None:
    captures = simulate(clock, lambda _: seconds, part=part)
    for capture in captures:
        assert capture.seconds <= max(5.0, part * capture.trained) + 1e-6
    # At least half of the allowed time is used if enough captures are due.
    used = captures[-1].seconds
    wanted = min(max(5.0, part * TWENTY_MINUTES), seconds * TWENTY_MINUTES / STEP_SECONDS / 10)
    assert used > wanted / 2 - seconds


GROWING: dict[str, Callable[[int], float]] = {
    "steadily": lambda n: 0.01 * (n + 1),
    "by a fifth each time": lambda n: 0.1 * 1.2**n,
    "at once": lambda n: 0.01 if n < 20 else 1.5,
    "now and then": lambda n: 0.3 + (n % 5 == 0),
}


@pytest.mark.parametrize("cost", GROWING.values(), ids=GROWING.keys())
def test_captures_whose_cost_grows_exceed_their_part_by_the_growth_at_most(
    clock: Clock, cost: Callable[[int], float]
) -> None:
    """The cost of a capture is known only afterwards."""
    captures = simulate(clock, cost)
    assert len(captures) > 5
    for capture in captures:
        assert capture.seconds <= max(5.0, 0.01 * capture.trained) + capture.growth + 1e-6


def test_a_first_capture_that_takes_long_is_not_the_last_one(clock: Clock) -> None:
    """Hardly any of the training's time has passed by then."""
    captures = simulate(clock, lambda n: 0.05 if n else 4.0, part=0.05)
    assert captures[1].trained == pytest.approx(160, abs=1), "when 8 s are 5 %"
    assert len(captures) > 10


def test_a_first_capture_beyond_the_free_seconds_holds_up_the_next_ones(clock: Clock) -> None:
    captures = simulate(clock, lambda n: 0.05 if n else 6.0, part=0.1)
    assert captures[0].seconds == pytest.approx(6)
    assert captures[1].trained >= 2 * 6 / 0.1 - 1
    assert len(captures) > 20


def test_cheap_captures_keep_the_interval_that_was_asked_for(clock: Clock) -> None:
    captures = simulate(clock, lambda _: 0.004)
    assert [capture.step for capture in captures] == list(range(0, 12_000, 10))
    assert {capture.every for capture in captures} == {10}


def test_no_limit_captures_at_each_interval(clock: Clock) -> None:
    captures = simulate(clock, lambda _: 3.0, part=None, length=40)
    assert [capture.step for capture in captures] == list(range(0, 400, 10))
    assert {capture.every for capture in captures} == {10}
    assert captures[-1].seconds == pytest.approx(40 * 3.0), "the time is counted all the same"


def test_the_interval_grows_by_powers_of_two(clock: Clock) -> None:
    captures = simulate(clock, lambda n: 0.1 * 1.1**n)
    stretches = {capture.every / 10 for capture in captures}
    assert len(stretches) > 2
    assert all(math.log2(stretch).is_integer() for stretch in stretches)
    late = [capture.step for capture in captures if capture.trained > 600]
    assert len(late) > 1
    assert all(b - a >= 80 for a, b in itertools.pairwise(late))


@pytest.mark.parametrize(
    ("cost", "stretch"), [(5.1, 16), (7.9, 16), (8.1, 32), (15.9, 32), (320.0, 1024)]
)
def test_the_stretch_is_what_the_costs_ask_for(clock: Clock, cost: float, stretch: int) -> None:
    """100 steps of 1 s: captures each 50 steps may take 0.5 s at 1 %."""
    account = Overhead(0.01)
    account.start()
    clock.now += 100 + cost
    account.add(cost, 0.0)
    assert account.stretch(every=50, steps=100) == stretch


def test_the_clock_starts_once(clock: Clock) -> None:
    account = Overhead(0.5)
    account.start()
    clock.now += 100
    account.start()
    account.add(10, 2)
    # 24 s of 90 s.
    assert account.allows_another()
    account.add(20, 6)
    # 36 s and 24 s more of 70 s.
    assert not account.allows_another()
    clock.now += 51
    assert account.allows_another()


def test_the_writing_threads_time_is_the_total_and_not_a_sum(clock: Clock) -> None:
    account = Overhead(0.01)
    account.add(1.0, 0.5)
    account.add(1.0, 0.75)
    assert account.seconds == pytest.approx(2.75)


def test_before_the_first_capture_nothing_is_held_back(clock: Clock) -> None:
    account = Overhead(1e-9)
    assert account.allows_another()
    assert account.stretch(1, 0) == account.stretch(1, 1) == 1
    account.start()
    clock.now += 5
    assert account.allows_another()


def test_ranks_that_agreed_go_by_their_agreement_alone(clock: Clock) -> None:
    """Each rank must come to the same answer, whatever its own clock says."""
    captures = simulate(clock, lambda _: 100.0, agreed=4, length=40)
    assert [capture.step for capture in captures] == list(range(0, 400, 40))
    assert {capture.every for capture in captures} == {40}


def test_a_rank_still_tells_the_others_what_it_wants(clock: Clock) -> None:
    pacer = pacer_of(0.01, 10)
    pacer.agree(1)
    pacer.count_step()
    pacer.take_due(0)
    pacer.account(100.0, 0.0)
    clock.now += 100.0
    for _ in range(9):
        clock.now += STEP_SECONDS
        pacer.count_step()
    assert pacer.stretch == 1
    # Ten steps took 0.9 s, so 100 s are 1 % of 111,111 steps, which are 11,111 intervals.
    assert pacer.own_stretch == 16_384


@pytest.mark.parametrize(("cost", "is_said"), [(0.004, False), (3.0, True)])
def test_captures_that_become_rarer_are_said_once(clock: Clock, cost: float, is_said: bool) -> None:
    health = Health(strict=True)
    pacer = Pacer(10, 4, Budget(10**15), Overhead(0.01), health)
    for step in range(2000):
        pacer.count_step()
        if pacer.is_due(step):
            pacer.take_due(step)
            clock.now += cost
            pacer.account(cost, 0.0)
        clock.now += STEP_SECONDS
    assert [notice.code for notice in health.notices] == ["overhead"] * is_said
    for notice in health.notices:
        assert notice.severity == "info"
        assert "A capture takes 3 seconds. So captures become rarer" in notice.message
