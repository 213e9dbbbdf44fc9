"""Models dealt out over a mesh of four processes that ``torchrun`` starts, over gloo.

``fully_shard`` on a mesh of two dimensions (HSDP) is captured. Tensor-parallel models are
refused.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tb_gradascent import read_samples
from testing.torchrun import PASSED, launch
from tests.model.mesh_checks import CHECKS

pytestmark = [pytest.mark.slow, pytest.mark.process]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mesh")


@pytest.fixture(scope="module")
def outcomes(directory: Path) -> dict[str, list[str]]:
    return launch("tests.model.mesh_checks", directory, processes=4)


@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_the_check_passes_on_every_rank(outcomes: dict[str, list[str]], check: str) -> None:
    for outcome in outcomes.get(check, ["an earlier check failed"]):
        assert outcome == PASSED, outcome


def test_a_copied_and_sharded_model_records_the_samples_of_the_whole_model(
    outcomes: object, directory: Path
) -> None:
    folder = directory / "it_captures_what_the_whole_model_would"
    whole, sharded = (
        sorted(read_samples(folder / name), key=lambda sample: (sample.rank, sample.index))
        for name in ("whole", "sharded")
    )
    assert [sample.rank for sample in whole] == [rank for rank in range(4) for _ in range(4)]
    for one, other in zip(whole, sharded, strict=True):
        assert (one.rank, one.id, one.label) == (other.rank, other.id, other.label)
        assert np.array_equal(one.image, other.image)
        assert np.allclose(one.probabilities, other.probabilities, atol=1e-6)
        for target, same in zip(one.targets, other.targets, strict=True):
            assert target.index == same.index
            difference = np.abs(target.gradient - same.gradient).max()
            assert difference <= np.abs(target.gradient).max() / 100
