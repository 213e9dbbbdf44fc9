"""Models sharded by ``fully_shard`` (FSDP2), in two processes that ``torchrun`` starts, over gloo.

If the ranks wait for each other, ``launch`` fails after five minutes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tb_gradascent import Sample, read_samples
from testing.torchrun import PASSED, launch
from tests.model.fsdp_checks import CHECKS

pytestmark = [pytest.mark.slow, pytest.mark.process]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fsdp")


@pytest.fixture(scope="module")
def outcomes(directory: Path) -> dict[str, list[str]]:
    return launch("tests.model.fsdp_checks", directory)


@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_the_check_passes_on_every_rank(outcomes: dict[str, list[str]], check: str) -> None:
    for outcome in outcomes.get(check, ["an earlier check failed"]):
        assert outcome == PASSED, outcome


def in_order(directory: Path) -> list[Sample]:
    return sorted(read_samples(directory), key=lambda sample: (sample.rank, sample.index))


def test_a_sharded_model_records_the_samples_of_the_whole_model(
    outcomes: object, directory: Path
) -> None:
    folder = directory / "it_captures_what_the_whole_model_would"
    whole, sharded = in_order(folder / "whole"), in_order(folder / "sharded")
    assert [sample.rank for sample in whole] == [0] * 4 + [1] * 4
    for one, other in zip(whole, sharded, strict=True):
        assert (one.rank, one.id, one.label) == (other.rank, other.id, other.label)
        assert np.array_equal(one.image, other.image)
        assert np.allclose(one.probabilities, other.probabilities, atol=1e-6)
        for target, same in zip(one.targets, other.targets, strict=True):
            assert (target.index, target.steps, target.stopped) == (
                same.index,
                same.steps,
                same.stopped,
            )
            pairs = [(target.gradient, same.gradient)]
            assert list(target.morphs) == list(same.morphs)
            pairs += [
                (morph.delta, same.morphs[name].delta) for name, morph in target.morphs.items()
            ]
            for array, twin in pairs:
                assert np.abs(array - twin).max() <= np.abs(array).max() / 100
            assert np.allclose(target.probabilities, same.probabilities, atol=1e-3)


def test_each_rank_records_its_own_samples(outcomes: object, directory: Path) -> None:
    def ranks(name: str) -> set[int | None]:
        return {sample.rank for sample in read_samples(directory / name)}

    assert ranks("ranks_that_select_differently_stay_in_step") == {0, 1}
    assert ranks("probes_of_one_rank_alone") == {1}
    assert ranks("rank_zero_alone") == {0}
    assert ranks("attached_it_stays_in_step") == {0, 1}


def test_a_scan_of_one_ranks_part_records_that_part(outcomes: object, directory: Path) -> None:
    folder = directory / "a_scan_finds_the_most_confused_of_the_whole"
    ids = [sample.id for sample in read_samples(folder, tag="part")]
    assert len(ids) == 4
    assert all(name and name.startswith("1/") for name in ids)
    assert len(list(read_samples(folder, tag="scan"))) == 20
