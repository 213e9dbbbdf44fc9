"""The adapters in jobs of two processes that the real ``torchrun`` starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tb_gradascent import read_samples
from testing.torchrun import PASSED, launch
from tests.integrations.adapter_ddp_checks import CHECKS

pytestmark = [pytest.mark.slow, pytest.mark.process]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("adapters")


@pytest.fixture(scope="module")
def outcomes(directory: Path) -> dict[str, list[str]]:
    return launch("tests.integrations.adapter_ddp_checks", directory)


@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_ranks_are_sessions_of_one_run(
    outcomes: dict[str, list[str]], directory: Path, check: str
) -> None:
    assert outcomes.get(check) == [PASSED, PASSED], outcomes
    samples = list(read_samples(directory / check, tag="confused"))
    assert len({sample.run for sample in samples}) == 1
    steps = {(sample.rank, sample.step) for sample in samples}
    first = [0, 2, 4] if check == "lightnings_trainer" else [1, 2, 4]
    assert steps == {(rank, step) for rank in (0, 1) for step in first}
