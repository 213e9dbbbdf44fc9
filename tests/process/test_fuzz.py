"""Every input that once broke a reader, and inputs near the seeds: ``make fuzz`` looks for more."""

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


def test_every_target_has_runs_and_seeds() -> None:
    assert TARGETS.keys() == RUNS.keys() == SEEDS.keys()
    assert {path.name for path in CORPUS.iterdir()} <= TARGETS.keys()
    assert sum(RUNS[name] for name in ("record", "payload", "image")) >= 1_000_000
    assert RUNS["request"] >= 100_000


@pytest.mark.process
def test_the_targets_import_all_modules_before_the_fuzzer_starts() -> None:
    """The fuzzer sees the coverage only of modules that are imported with the targets."""
    code = (
        "import sys\n"
        "from tests.fuzz.seeds import SEEDS\n"
        "from tests.fuzz.targets import TARGETS\n"
        "before = set(sys.modules)\n"
        "for seed in SEEDS['request'](): TARGETS['request'](seed)\n"
        "print([name for name in set(sys.modules) - before if name.startswith('tb_gradascent')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout == "[]\n", done


@pytest.mark.parametrize(
    "path", sorted(CORPUS.glob("*/*")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_an_input_that_once_broke_a_target_is_handled(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_and_inputs_near_them_are_handled(name: str) -> None:
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
