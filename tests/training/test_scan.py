"""``hook.scan`` against the whole data set in one batch."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin, read_samples
from tb_gradascent.model.forward_args import ForwardArgs
from testing import networks
from testing.networks import Scaled, aged, convolutional, digits
from testing.painted import painted


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    return networks.trained()


def most_confused_of_all(model: nn.Module, count: int) -> list[int]:
    images, _ = digits("test")
    model.eval()
    with torch.no_grad():
        chances = model(images).softmax(1).sort(1).values
    model.train()
    order: list[int] = (chances[:, -1] - chances[:, -2]).argsort(stable=True).tolist()
    return order[:count]


def test_a_scan_finds_the_most_confused_of_the_whole_data_set(
    tmp_path: Path, trained: nn.Module
) -> None:
    images, labels = digits("test")
    loader = DataLoader(TensorDataset(images, labels), batch_size=128)
    weights = [value.clone() for value in trained.state_dict().values()]
    state = torch.get_rng_state()
    with GradAscentHook(trained, tmp_path, ascent=Ascent(max_steps=2), strict=True) as hook:
        assert hook.scan(loader, step=7, top_k=20) == 20
    samples = list(read_samples(tmp_path, tag="scan"))
    expected = most_confused_of_all(trained, 20)
    assert {sample.id for sample in samples} == {str(row) for row in expected}
    margins = [sample.margin for sample in samples]
    assert margins == sorted(margins)
    for sample in samples:
        assert sample.id is not None
        row = int(sample.id)
        assert np.array_equal(sample.image, images[row].numpy())
        assert sample.label == labels[row]
        assert sample.step == 7
    assert torch.equal(torch.get_rng_state(), state), "a loader draws its seed from it"
    assert all(map(torch.equal, weights, trained.state_dict().values()))
    assert trained.training


@pytest.mark.parametrize("shuffle", [True, False])
def test_the_state_of_a_loaders_generator_is_restored(
    tmp_path: Path, trained: nn.Module, shuffle: bool
) -> None:
    """Otherwise the training's next epoch would have another order."""
    images, labels = digits("test")
    generator = torch.Generator().manual_seed(5)
    loader = DataLoader(
        TensorDataset(images, labels), batch_size=128, shuffle=shuffle, generator=generator
    )
    state = generator.get_state()
    with GradAscentHook(trained, tmp_path, ascent=None, strict=True) as hook:
        assert hook.scan(loader, top_k=3) == 3
    assert torch.equal(generator.get_state(), state)


def test_a_data_set_that_contains_itself_is_scanned(tmp_path: Path, trained: nn.Module) -> None:
    class Circular(TensorDataset):
        @property
        def dataset(self) -> Circular:
            return self

    images, labels = digits("test")
    loader = DataLoader(Circular(images, labels), batch_size=128)
    with GradAscentHook(trained, tmp_path, ascent=None, strict=True) as hook:
        assert hook.scan(loader, top_k=3) == 3


def test_inputs_without_labels_are_scanned_with_given_ids(
    tmp_path: Path, trained: nn.Module
) -> None:
    images, _ = digits("test")
    names = (f"digit {row}" for row in range(len(images)))
    with GradAscentHook(trained, tmp_path, ascent=None, strict=True) as hook:
        assert hook.scan(images.split(100), ids=names, top_k=3, tag="test set") == 3
    samples = list(read_samples(tmp_path, tag="test set"))
    assert [sample.label for sample in samples] == [None] * 3
    expected = most_confused_of_all(trained, 3)
    assert [sample.id for sample in samples] == [f"digit {row}" for row in expected]


def test_a_loader_of_lists_with_one_tensor_is_scanned(tmp_path: Path, trained: nn.Module) -> None:
    """``TensorDataset`` with inputs only gives such lists."""
    images, _ = digits("test")
    with GradAscentHook(trained, tmp_path, ascent=None, strict=True) as hook:
        assert hook.scan(DataLoader(TensorDataset(images[:100]), batch_size=50), top_k=3) == 3
    assert [sample.label for sample in read_samples(tmp_path, tag="scan")] == [None] * 3


@pytest.mark.parametrize(
    "given",
    [
        lambda item: (item["age"],),
        lambda item: {"age": item["age"], "sign": 1},
        lambda item: {"age": item["age"], "sign": torch.ones(1, 1)},
    ],
    ids=["after the image", "by keyword, with a flag", "with a tensor for all"],
)
def test_a_model_with_two_inputs_is_scanned(tmp_path: Path, given: Any) -> None:
    model = Scaled()
    images, ages = aged(30)
    loader = [
        {"image": images[rows], "label": torch.arange(30)[rows] % 3, "age": ages[rows]}
        for rows in torch.arange(30).split(8)
    ]

    def unpack(item: dict[str, Tensor]) -> dict[str, Any]:
        ids = [f"{age:g} years" for age in item["age"].flatten().tolist()]
        named = {"inputs": item["image"], "labels": item["label"], "ids": ids}
        return {**named, "additional_forward_args": given(item)}

    criterion = ProbabilityMargin(max_margin=1)
    with GradAscentHook(
        model, tmp_path, criterion=criterion, targets="all", strict=True, ascent=Ascent.smallest()
    ) as hook:
        assert hook.scan(loader, unpack=unpack, top_k=4) == 4
    chances = model(images, ages).softmax(1).sort(1).values
    order = (chances[:, -1] - chances[:, -2]).argsort()[:4].tolist()
    samples = list(read_samples(tmp_path, tag="scan"))
    assert [sample.id for sample in samples] == [f"{row + 1} years" for row in order]
    for row, sample in zip(order, samples, strict=True):
        assert np.array_equal(sample.image, images[row].numpy())
        assert sample.label == row % 3
        for target in sample.targets:
            expected = (ages[row] * model.a[target.index]).detach().numpy()
            largest = np.abs(expected).max()
            np.testing.assert_allclose(target.gradient, expected, atol=largest / 2000)
            if target.index == sample.classes[0]:
                assert not target.morphs
                continue
            assert target.delta is not None
            for strength, probability in zip(target.strengths, target.probabilities, strict=True):
                x = painted(sample, strength, target.delta)
                chance = model(x, ages[row][None]).softmax(1)[0, target.index].item()
                assert probability == pytest.approx(chance, abs=1e-5)


def test_further_arguments_are_kept_for_the_best_samples_only(
    tmp_path: Path, trained: nn.Module
) -> None:
    sizes: list[int] = []

    def only_row(self: ForwardArgs, row: int) -> ForwardArgs:
        own = original(self, row)
        sizes.append(own.args[0].untyped_storage().nbytes())
        return own

    original = ForwardArgs.only_row
    images, ages = aged(300)
    with (
        pytest.MonkeyPatch.context() as patch,
        GradAscentHook(Scaled(), tmp_path, ascent=None) as hook,
    ):
        patch.setattr(ForwardArgs, "only_row", only_row)
        hook.scan(
            [(images, ages)],
            unpack=lambda item: {"inputs": item[0], "additional_forward_args": item[1]},
        )
    assert set(sizes) == {ages[:1].nbytes}


@pytest.mark.parametrize(
    ("unpack", "ids", "message"),
    [
        (None, None, r"got a mapping with 'image', 'age': name its values by unpack=lambda"),
        (lambda item: item["image"], None, r'unpack must return a mapping with "inputs".*float32'),
        (lambda item: {"labels": 0}, None, "got keys 'labels'"),
        (lambda item: {"inputs": item["image"], "age": 3}, None, "got keys 'inputs', 'age'"),
        (lambda item: {"inputs": 3}, None, "inputs must be a floating point or uint8 tensor"),
        (lambda item: {"inputs": item["image"], "ids": range(8)}, range(8), "ids must be given on"),
    ],
)
def test_an_item_that_cannot_be_unpacked_is_rejected(
    tmp_path: Path, unpack: Any, ids: Any, message: str
) -> None:
    images, ages = aged(8)
    with GradAscentHook(Scaled(), tmp_path, strict=True) as hook:
        with pytest.raises(ValueError, match=message):
            hook.scan([{"image": images, "age": ages}], unpack=unpack, ids=ids)
        with pytest.raises(ValueError, match=r"unpack must be a callable .*got 3"):
            hook.scan([images], unpack=3)  # type: ignore[arg-type]


def test_batches_are_released_during_a_scan(tmp_path: Path, trained: nn.Module) -> None:
    """At most two batches exist at a time."""
    alive: list[weakref.ref[Tensor]] = []

    def stream() -> Iterator[Tensor]:
        for _ in range(10):
            batch = torch.rand(10, 1, 28, 28)
            alive.append(weakref.ref(batch))
            yield batch
            del batch
            assert sum(reference() is not None for reference in alive) <= 2

    with GradAscentHook(trained, tmp_path, ascent=None, strict=True) as hook:
        assert hook.scan(stream(), top_k=5) == 5


def test_no_graph_is_built_while_searching(tmp_path: Path, trained: nn.Module) -> None:
    graphs: list[bool] = []
    handle = trained.register_forward_hook(
        # One or two rows are for the checks.
        lambda _module, _inputs, logits: graphs.append(len(logits) > 2 and logits.requires_grad)
    )
    with GradAscentHook(
        trained, tmp_path, criterion=lambda logits, labels: logits[:, 0] - torch.inf, strict=True
    ) as hook:
        hook.scan([torch.rand(4, 1, 28, 28)] * 3)
    handle.remove()
    assert len(graphs) >= 3
    assert not any(graphs)


def test_an_interrupt_keeps_the_samples_found_so_far(tmp_path: Path, trained: nn.Module) -> None:
    images, _ = digits("test")

    def stream() -> Iterator[Tensor]:
        yield images[:64]
        raise KeyboardInterrupt

    with GradAscentHook(trained, tmp_path, ascent=None, strict=True) as hook:
        with pytest.raises(KeyboardInterrupt):
            hook.scan(stream(), top_k=4)
        assert hook.stats.captured == 4
    assert len(list(read_samples(tmp_path, tag="scan"))) == 4
    assert trained.training


def test_a_failing_loader_keeps_the_samples_found_so_far(
    tmp_path: Path, trained: nn.Module, caplog: pytest.LogCaptureFixture
) -> None:
    images, _ = digits("test")

    def stream() -> Iterator[Tensor]:
        yield from images[:200].split(50)
        raise OSError("image 200 is truncated")

    with GradAscentHook(trained, tmp_path / "lenient", ascent=None) as hook:
        assert hook.scan(stream(), top_k=4) == 4
        assert (hook.stats.captured, hook.stats.failed) == (4, 1)
    (record,) = caplog.records
    assert (
        "A scan failed: OSError: image 200 is truncated. Training is not affected"
        in record.getMessage()
    )
    with GradAscentHook(trained, tmp_path / "strict", ascent=None, strict=True) as hook:
        with pytest.raises(OSError, match="image 200 is truncated"):
            hook.scan(stream(), top_k=4)
    with GradAscentHook(trained, tmp_path / "whole", ascent=None, strict=True) as hook:
        hook.scan(images[:200].split(50), top_k=4)
    found = [[s.id for s in read_samples(tmp_path / n)] for n in ("lenient", "strict", "whole")]
    assert found == [found[2]] * 3
    assert trained.training


def test_a_step_that_is_not_a_number_is_rejected(tmp_path: Path, trained: nn.Module) -> None:
    with GradAscentHook(trained, tmp_path) as hook:
        with pytest.raises(ValueError, match=r"step must be a whole number, got 0\.5"):
            hook.scan([], step=0.5)  # type: ignore[arg-type]


def test_images_of_several_sizes_are_scanned(tmp_path: Path) -> None:
    model = convolutional()
    batches = [torch.rand(4, 1, 8, 8), torch.rand(4, 1, 12, 10), torch.rand(4, 1, 8, 8)]
    criterion = ProbabilityMargin(max_margin=1)
    with GradAscentHook(model, tmp_path, criterion=criterion, ascent=None, strict=True) as hook:
        assert hook.scan(batches, top_k=12) == 12
    shapes = [sample.image.shape for sample in read_samples(tmp_path)]
    assert sorted(shapes) == [(1, 8, 8)] * 8 + [(1, 12, 10)] * 4


def test_without_confused_samples_nothing_is_written(tmp_path: Path, trained: nn.Module) -> None:
    with GradAscentHook(
        trained, tmp_path, criterion=lambda logits, labels: logits[:, 0] - torch.inf, strict=True
    ) as hook:
        assert hook.scan([torch.rand(4, 1, 28, 28)]) == 0
    assert list(read_samples(tmp_path)) == []


def test_a_scan_shows_a_progress_bar(
    tmp_path: Path, trained: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tqdm.auto

    seen: list[tuple[str, float]] = []

    class Bar(tqdm.auto.tqdm):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs["disable"] = False
            super().__init__(*args, **kwargs)

        def close(self) -> None:
            seen.append((self.desc, self.n))
            super().close()

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    with GradAscentHook(trained, tmp_path, ascent=None, strict=True) as hook:
        hook.scan([torch.rand(4, 1, 28, 28)] * 6)
    assert seen[0] == ("scan", 6)
