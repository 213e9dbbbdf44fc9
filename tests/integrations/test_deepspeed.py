"""The hook with DeepSpeed's engine, in two processes that ``torchrun`` starts, on the CPU.

DeepSpeed is in no extra, because it is built when it is installed. `docs/compatibility.md` says how
these tests were run.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from tb_gradascent import read_samples
from testing.by_torch import assert_as_by_torch
from testing.networks import convolutional, digits
from testing.torchrun import PASSED, launch

pytestmark = [
    pytest.mark.slow,
    pytest.mark.process,
    pytest.mark.skipif(
        importlib.util.find_spec("deepspeed") is None, reason="deepspeed is not installed"
    ),
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("deepspeed")


@pytest.fixture(scope="module")
def outcomes(directory: Path) -> dict[str, list[str]]:
    return launch("tests.integrations.deepspeed_checks", directory)


@pytest.mark.parametrize("check", ["zero_1_and_2_train_bit_for_bit_the_same", "zero_3_is_refused"])
def test_the_check_passes_on_every_rank(outcomes: dict[str, list[str]], check: str) -> None:
    for outcome in outcomes.get(check, ["an earlier check failed"]):
        assert outcome == PASSED, outcome


@pytest.mark.parametrize("stage", [1, 2])
def test_each_rank_records_its_own_samples(outcomes: object, directory: Path, stage: int) -> None:
    folder = directory / "zero_1_and_2_train_bit_for_bit_the_same"
    samples = list(read_samples(folder / str(stage)))
    images, labels = digits()
    for rank in (0, 1):
        own = [sample for sample in samples if sample.rank == rank]
        steps = [sample.step for sample in own]
        assert [steps.count(step) for step in range(4)] == [1 + (s + rank) % 4 for s in range(4)]
        for sample in own:
            half = len(images) // 2 * rank
            rows = range(half + 8 * sample.step, half + 8 * sample.step + 8)
            (row,) = (r for r in rows if np.array_equal(images[r], sample.image))
            assert sample.label == labels[row]
        network = convolutional()
        network.load_state_dict(torch.load(folder / str(stage) / f"model{rank}.pt"))
        assert_as_by_torch([sample for sample in own if sample.step == 3], network.eval())
    attached = list(read_samples(folder / f"{stage} attached"))
    assert {(sample.rank, sample.step) for sample in attached} == {(0, 0), (0, 1), (1, 0), (1, 1)}
