"""Every input that once broke something, and some that might: ``make fuzz`` looks for more."""

from __future__ import annotations

import subprocess
import sys
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


def test_nothing_is_imported_later_than_the_fuzzer_looks() -> None:
    """It is guided by the coverage of what is imported with the targets, and of nothing else."""
    code = (
        "import sys\n"
        "from tests.fuzz.seeds import SEEDS\n"
        "from tests.fuzz.targets import TARGETS\n"
        "before = set(sys.modules)\n"
        "for seed in SEEDS['request'](): TARGETS['request'](seed)\n"
        "print([name for name in set(sys.modules) - before if name.startswith('tb_gradascent')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "[]\n", done


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
