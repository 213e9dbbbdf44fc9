"""``DistributedDataParallel`` in two processes that ``torchrun`` starts, over gloo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tb_gradascent import GradAscentHook, Misclassified, read_samples
from testing.networks import Scaled, aged, convolutional, digits
from testing.torchrun import PASSED, launch
from tests.training.ddp_checks import CHECKS, STEPS


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ddp")


@pytest.fixture(scope="module")
def outcomes(directory: Path) -> dict[str, list[str]]:
    return launch("tests.training.ddp_checks", directory)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_the_check_passes_on_every_rank(outcomes: dict[str, list[str]], check: str) -> None:
    for outcome in outcomes.get(check, ["an earlier check failed"]):
        assert outcome == PASSED, outcome


@pytest.mark.process
@pytest.mark.slow
def test_the_code_of_the_docs_page_records_samples(outcomes: object, directory: Path) -> None:
    folder = directory / "the_page_of_the_docs_runs"
    ranks = {
        name: {sample.rank for sample in read_samples(folder / name)}
        for name in ("0", "1", "2", "scan", "store/0", "store/1")
    }
    both = {0, 1}
    assert ranks == {"0": both, "1": set(), "2": both, "scan": {0}, "store/0": {0}, "store/1": {1}}


@pytest.mark.process
@pytest.mark.slow
def test_ranks_are_sessions_of_one_run(outcomes: object, directory: Path) -> None:
    samples = list(read_samples(directory / "each_rank_captures_from_its_own_batch"))
    assert {sample.run for sample in samples} == {"."}
    assert sorted(sample.rank for sample in samples if sample.rank is not None) == [0] * 4 + [1] * 4
    images, labels = digits()
    for sample in samples:
        assert sample.id is not None
        row = int(sample.id)
        assert sample.rank == row // 64
        assert sample.label == labels[row]
        assert np.array_equal(sample.image, images[row].numpy())


@pytest.mark.process
@pytest.mark.slow
def test_every_capture_of_every_rank_is_written(outcomes: object, directory: Path) -> None:
    check = "training_is_bit_for_bit_the_same_and_no_collective_is_added"
    samples = list(read_samples(directory / check))
    recorded = {(sample.rank, sample.step) for sample in samples if sample.probe}
    assert recorded == {(rank, step) for rank in (0, 1) for step in range(STEPS)}
    assert {sample.rank for sample in samples if not sample.probe} == {0, 1}


@pytest.mark.process
@pytest.mark.slow
def test_with_ranks_zero_only_rank_zero_records(outcomes: object, directory: Path) -> None:
    assert {sample.rank for sample in read_samples(directory / "rank_zero_alone")} == {0}
    assert len(list((directory / "rank_zero_alone").iterdir())) == 1


@pytest.mark.process
@pytest.mark.slow
def test_a_scan_by_two_ranks_finds_the_samples_of_a_scan_by_one(
    outcomes: object, directory: Path, tmp_path: Path
) -> None:
    images, labels = digits("test")
    with GradAscentHook(convolutional(), tmp_path, strict=True, criterion=Misclassified()) as hook:
        data = torch.utils.data.TensorDataset(images[:301], labels[:301])
        loader = torch.utils.data.DataLoader(data, batch_size=50)
        assert hook.scan(loader, step=3, top_k=20) == 20
    alone = list(read_samples(tmp_path))
    shared = list(read_samples(directory / "a_scan_finds_the_most_confused_of_the_whole"))
    assert len(shared) == 20
    for one, other in zip(alone, shared, strict=True):
        assert (one.id, one.label, one.step, one.index) == (
            other.id,
            other.label,
            other.step,
            other.index,
        )
        assert np.array_equal(one.image, other.image)
        assert np.allclose(one.probabilities, other.probabilities, atol=1e-6)
        for target, same in zip(one.targets, other.targets, strict=True):
            assert target.index == same.index
            scale = np.abs(target.gradient).max()
            assert np.abs(target.gradient - same.gradient).max() <= scale / 500


@pytest.mark.process
@pytest.mark.slow
def test_a_sample_that_two_ranks_scan_is_recorded_once(outcomes: object, directory: Path) -> None:
    ids = [sample.id for sample in read_samples(directory / "a_scan_keeps_no_sample_twice")]
    assert len(ids) == len(set(ids)) > 8


@pytest.mark.process
@pytest.mark.slow
def test_samples_of_own_parts_are_numbered_by_rank(outcomes: object, directory: Path) -> None:
    samples = list(read_samples(directory / "a_scan_of_parts_that_the_user_made"))
    images, _ = digits("test")
    assert len(samples) == 4
    for sample in samples:
        assert sample.id is not None
        rank, _, place = sample.id.partition("/")
        assert rank == "0"
        assert np.array_equal(sample.image, images[int(place)].numpy())


@pytest.mark.process
@pytest.mark.slow
def test_a_scan_by_two_ranks_gives_each_sample_its_own_arguments(
    outcomes: object, directory: Path
) -> None:
    model = Scaled()
    images, ages = aged(11)
    chances = model(images, ages).softmax(1).sort(1).values
    order = (chances[:, -1] - chances[:, -2]).argsort().tolist()
    samples = list(read_samples(directory / "a_scan_of_a_model_of_two_inputs"))
    assert [sample.id for sample in samples] == [str(row) for row in order[:5]]
    for sample in samples:
        age = int(sample.id or "") + 1
        for target in sample.targets:
            expected = (age * model.a[target.index]).detach().numpy()
            largest = np.abs(expected).max()
            np.testing.assert_allclose(target.gradient, expected, atol=largest / 2000)


def test_a_scan_needs_the_process_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with GradAscentHook(convolutional(), tmp_path, strict=True, ascent=None) as hook:
        with pytest.raises(RuntimeError, match=r"needs torch.distributed.init_process_group\(\)"):
            hook.scan([torch.rand(4, 1, 8, 8)])
        assert hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10)) == 4
    assert {sample.rank for sample in read_samples(tmp_path)} == {1}


@pytest.mark.parametrize("said", [("1", ""), ("x", "2"), ("2", "2"), ("0", "1"), ("-1", "2")])
def test_an_invalid_rank_in_the_environment_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: tuple[str, str]
) -> None:
    monkeypatch.setenv("RANK", said[0])
    monkeypatch.setenv("WORLD_SIZE", said[1])
    with GradAscentHook(convolutional(), tmp_path, strict=True, ascent=None) as hook:
        hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10))
    assert {sample.rank for sample in read_samples(tmp_path)} == {None}


def test_an_unknown_choice_of_ranks_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='ranks must be "all" or "zero", got 0: whether every'):
        GradAscentHook(convolutional(), tmp_path, ranks=0)  # type: ignore[arg-type]
