"""How sessions are joined: their order, restarts, overlaps and unreadable records."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_gradascent.format.metadata import SessionInfo
from tb_gradascent.format.record_parser import parse_record
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.sessions import Index, ParsedCapture, Session, join, parse_capture
from testing.synthetic import make_sample

RECORD = parse_record(encode_sample(make_sample(np.random.default_rng(0), shape=(1, 2, 2)))[0])


def record(step: int) -> bytes:
    return json.dumps({**RECORD, "step": step}).encode()


def session(
    name: str,
    started: float,
    captures: Sequence[tuple[float, int]],
    samples: int = 1,
    rank: int | None = None,
    world_size: int | None = None,
) -> Session:
    """Return a session; its captures are given as (wall time, training step)."""
    parsed = [
        parse_capture(number, wall_time, [record(step)] * samples)
        for number, (wall_time, step) in enumerate(captures)
    ]
    info = SessionInfo(started=started, rank=rank, world_size=world_size)
    return Session(name, info, {capture.number: capture for capture in parsed})


def steps_of(index: Index, name: str) -> list[int]:
    return [
        entry.step for position, entry in index.entries if index.sessions[position].name == name
    ]


def superseded(index: Index) -> int:
    """Return how many readable records the index leaves out."""
    captures = [capture for each in index.sessions for capture in each.captures.values()]
    return sum(len(capture.entries) for capture in captures) - len(index.entries)


def test_a_capture_keeps_each_records_index_and_counts_the_unreadable() -> None:
    values: list[object] = [record(3), b"damage", record(3), "text", 7, None, record(3)[:-1]]
    capture = parse_capture(12, 1.5, values)
    assert [entry.index for entry in capture.entries] == [0, 2]
    assert {entry.capture for entry in capture.entries} == {12}
    assert {entry.wall_time for entry in capture.entries} == {1.5}
    assert capture.unreadable == 5


def test_an_entry_keeps_the_record_as_stored() -> None:
    (entry,) = parse_capture(0, 1.5, [record(3)]).entries
    assert parse_record(entry.record) == {**RECORD, "step": 3}


@pytest.mark.parametrize("wall_time", [float("nan"), float("inf"), -float("inf")])
def test_a_wall_time_that_is_not_finite_becomes_0(wall_time: float) -> None:
    assert parse_capture(0, wall_time, [record(3)]).wall_time == 0.0


def test_entries_are_ordered_by_step_then_time_then_index() -> None:
    index = join(
        [
            session("a", 1, [(10, 0), (20, 100), (30, 200)], samples=2),
            session("b", 1, [(5, 0), (25, 100), (26, 300)], samples=2),
        ]
    )
    order = [(entry.step, entry.wall_time, entry.index) for _, entry in index.entries]
    assert order == sorted(order)
    assert len(order) == 12


def test_a_restart_supersedes_what_it_repeats() -> None:
    first = session("a", 1, [(10, 0), (20, 100), (30, 200), (40, 300)], samples=2)
    second = session("b", 50, [(60, 200), (70, 300), (80, 400)])
    index = join([first, second])
    assert steps_of(index, "a") == [0, 0, 100, 100]
    assert steps_of(index, "b") == [200, 300, 400]
    assert superseded(index) == 4


def test_a_restart_from_the_first_step_supersedes_everything() -> None:
    index = join([session("a", 1, [(10, 0), (20, 100)]), session("b", 50, [(60, 0)])])
    assert steps_of(index, "a") == []
    assert steps_of(index, "b") == [0]
    assert [each.name for each in index.sessions] == ["a", "b"]


def test_several_restarts_all_supersede() -> None:
    index = join(
        [
            session("a", 1, [(10, 0), (20, 100), (30, 200)]),
            session("b", 40, [(50, 200), (60, 300)]),
            session("c", 70, [(80, 100), (90, 200)]),
        ]
    )
    assert (steps_of(index, "a"), steps_of(index, "b")) == ([0], [])
    assert steps_of(index, "c") == [100, 200]
    assert superseded(index) == 4


def test_sessions_that_overlap_supersede_nothing() -> None:
    index = join([session("a", 1, [(10, 0), (30, 100)]), session("b", 20, [(25, 0), (40, 100)])])
    assert (steps_of(index, "a"), steps_of(index, "b")) == ([0, 100], [0, 100])
    assert superseded(index) == 0


def test_ranks_that_began_together_supersede_nothing() -> None:
    index = join([session(f"rank-{rank}", 1, [(10 + rank, 0)]) for rank in range(4)])
    assert len(index.entries) == 4
    assert superseded(index) == 0


def test_restarted_ranks_supersede_every_earlier_rank() -> None:
    before = [session(f"a{rank}", 1, [(10 + rank, 0), (20 + rank, 100)]) for rank in range(4)]
    after = [session(f"b{rank}", 30, [(40 + rank, 100)]) for rank in range(4)]
    index = join(before + after)
    assert all(steps_of(index, each.name) == [0] for each in before)
    assert all(steps_of(index, each.name) == [100] for each in after)


def ranks(name: str, size: int, started: float, step: int) -> list[Session]:
    """Return a job whose sessions each began after the only capture of the one before."""
    return [
        session(f"{name}{rank}", started + rank, [(started + rank + 0.5, step)], 1, rank, size)
        for rank in range(size)
    ]


def test_a_rank_that_began_late_supersedes_no_other() -> None:
    index = join(ranks("a", 4, 1, 0))
    assert (len(index.entries), superseded(index)) == (4, 0)


@pytest.mark.parametrize("sizes", [(4, 4), (4, 2), (2, 4), (1, 4)])
def test_a_restarted_job_supersedes_every_rank(sizes: tuple[int, int]) -> None:
    before, after = sizes
    index = join(ranks("a", before, 1, 100) + ranks("b", after, 50, 100))
    assert {index.sessions[position].name[0] for position, _ in index.entries} == {"b"}
    assert (len(index.entries), superseded(index)) == (after, before)


@pytest.mark.parametrize("started", [0.0, 1e12])
def test_a_missing_or_impossible_start_is_replaced_by_the_first_capture(started: float) -> None:
    first = session("a", started, [(10, 0), (20, 100)])
    second = session("b", started, [(30, 100)])
    index = join([second, first])
    assert [each.name for each in index.sessions] == ["a", "b"]
    assert superseded(index) == 1


def test_a_restart_without_readable_records_supersedes_nothing() -> None:
    first = session("a", 1, [(10, 0), (20, 100)])
    broken = Session("b", SessionInfo(started=30), {0: parse_capture(0, 40, [b"damage"])})
    empty = Session("c", SessionInfo(started=50), {})
    index = join([first, broken, empty])
    assert steps_of(index, "a") == [0, 100]
    assert (index.unreadable, superseded(index)) == (1, 0)


def test_unreadable_records_are_summed() -> None:
    captures = {n: parse_capture(n, 10.0 + n, [b"", record(n)]) for n in range(3)}
    index = join([Session("a", SessionInfo(started=1), captures)])
    assert (len(index.entries), index.unreadable) == (3, 3)


def test_no_sessions_give_an_empty_index() -> None:
    assert join([]) == Index((), [], 0)


CAPTURES = st.lists(st.tuples(st.floats(0, 50), st.integers(0, 5)), max_size=4)
MANY = st.lists(st.tuples(st.floats(0, 50), CAPTURES), max_size=5)


@given(MANY, st.randoms(use_true_random=False))
def test_join_agrees_with_a_comparison_of_every_pair(
    drawn: list[tuple[float, list[tuple[float, int]]]], shuffle: random.Random
) -> None:
    """The rule is applied to every pair of sessions, as the documentation words it."""
    sessions = [session(f"s{n}", started, captures) for n, (started, captures) in enumerate(drawn)]
    shuffled = list(sessions)
    shuffle.shuffle(shuffled)
    index = join(shuffled)

    def began(each: Session) -> float:
        times = [capture.wall_time for capture in each.captures.values()]
        return min([each.info.started] * (each.info.started > 0) + times, default=float("inf"))

    kept = 0
    for each in sessions:
        ended = max((c.wall_time for c in each.captures.values()), default=float("inf"))
        cuts = [
            later.captures[0].entries[0].step
            for later in sessions
            if later.captures and began(later) > ended
        ]
        wanted = sorted(
            capture.entries[0].step
            for capture in each.captures.values()
            if capture.entries[0].step < min(cuts, default=10)
        )
        assert steps_of(index, each.name) == wanted
        kept += len(wanted)
    total = sum(len(each.captures) for each in sessions)
    assert (len(index.entries), superseded(index)) == (kept, total - kept)


def test_the_last_of_many_restarts_supersedes_the_others() -> None:
    entry = parse_capture(0, 1.0, [record(0)]).entries
    sessions = [
        Session(f"s{n}", SessionInfo(started=n + 1), {0: ParsedCapture(0, n + 1.5, entry, 0)})
        for n in range(5000)
    ]
    index = join(sessions)
    assert (len(index.entries), superseded(index)) == (1, 4999)
