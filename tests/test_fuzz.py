"""Every input that once broke something, and some that might: ``make fuzz`` looks for more."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import CORPUS, RUNS
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS


def test_every_target_has_a_number_of_runs_and_seeds() -> None:
    assert TARGETS.keys() == RUNS.keys() == SEEDS.keys()
    assert {path.name for path in CORPUS.iterdir()} <= TARGETS.keys()
    assert sum(RUNS[name] for name in ("record", "payload", "image")) >= 1_000_000
    assert RUNS["request"] >= 100_000


@pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_what_once_broke_it(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_what_is_near_them(name: str) -> None:
    seeds = sorted(SEEDS[name]())
    assert seeds

    @settings(max_examples=60, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(seeds), st.data())
    def near(seed: bytes, data: st.DataObject) -> None:
        start = data.draw(st.integers(0, len(seed)))
        end = data.draw(st.integers(start, min(len(seed), start + 8)))
        TARGETS[name](seed[:start] + data.draw(st.binary(max_size=8)) + seed[end:])

    for seed in seeds:
        TARGETS[name](seed)
    near()
