"""Class names, mean and std that the hook finds in a model and in data."""

from __future__ import annotations

import functools
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset

from tb_gradascent import GradAscentHook, ProbabilityMargin, Sample, read_samples
from tb_gradascent.training.known import Known, Normalization, know, know_model
from testing.brief import BRIEF
from testing.networks import convolutional, digits

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
NAMES = tuple(f"digit {number}" for number in range(10))


class Normalize:
    """torchvision's first, albumentations', and with tensors fastai's."""

    def __init__(self, mean: Any, std: Any, **others: Any) -> None:
        self.mean, self.std = mean, std
        vars(self).update(others)

    def __call__(self, image: Tensor) -> Tensor:
        return (image - torch.as_tensor(self.mean)) / torch.as_tensor(self.std)


class ModuleNormalize(nn.Module):
    """torchvision's second is a module."""

    def __init__(self) -> None:
        super().__init__()
        self.mean, self.std = list(MEAN), list(STD)


ModuleNormalize.__name__ = "Normalize"


class Digits(Dataset[tuple[Tensor, Tensor]]):
    """As torchvision's data sets are."""

    def __init__(self, transform: Any = None, part: str = "train", **others: Any) -> None:
        self.transform = transform
        vars(self).update(others)
        images, self._labels = (tensor[: len(self)] for tensor in digits(part))
        self._images = (images - images.amin()) / (images.amax() - images.amin())

    def __len__(self) -> int:
        return 64

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        image = self._images[row]
        return (image if self.transform is None else self.transform(image)), self._labels[row]


class Compose:
    """torchvision's."""

    def __init__(self, *transforms: Any) -> None:
        self.transforms = list(transforms)

    def __call__(self, image: Tensor) -> Tensor:
        return functools.reduce(lambda given, one: one(given), self.transforms, image)


module_wide = Normalize(MEAN, STD)


def closing_over(transform: Any) -> Any:
    def transformed(example: Any) -> Any:
        return [transform(image) for image in example["image"]]

    return transformed


def naming_a_global(example: Any) -> Any:
    return module_wide(example["image"])


def hugging_face(transform: Any, **features: Any) -> Any:
    """As ``datasets.Dataset.with_transform`` makes them."""
    return SimpleNamespace(features=features, _format_kwargs={"transform": transform})


def processor(**options: Any) -> Any:
    """A processor of images of Transformers."""
    from transformers import ViTImageProcessor

    return ViTImageProcessor(**options)


PHOTOGRAPHS = Normalize(list(MEAN), list(STD))
EVERYWHERE = {
    "a transform alone": PHOTOGRAPHS,
    "a composed transform": Digits(Compose(PHOTOGRAPHS)),
    "torchvision's second": Digits(Compose(ModuleNormalize())),
    "nn.Sequential": Digits(nn.Sequential(nn.Identity(), ModuleNormalize())).transform[1],
    "albumentations": Digits(Compose(Normalize(MEAN, STD, max_pixel_value=255.0))),
    "of bytes": Digits(Normalize([255 * m for m in MEAN], [255 * s for s in STD])),
    "a subset": Subset(Digits(PHOTOGRAPHS), [0, 1]),
    "joined": ConcatDataset([Digits(PHOTOGRAPHS), Digits(PHOTOGRAPHS)]),
    "a loader": DataLoader(Subset(Digits(PHOTOGRAPHS), [0, 1])),
    "Lightning's": SimpleNamespace(iterables={"a": DataLoader(Digits(PHOTOGRAPHS))}),
    "a closure": hugging_face(closing_over(Compose(PHOTOGRAPHS))),
    "a global": hugging_face(naming_a_global),
    "a partial": hugging_face(functools.partial(closing_over(PHOTOGRAPHS), 1)),
    "fastai": SimpleNamespace(
        after_batch=SimpleNamespace(
            fs=[Normalize(torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1))]
        )
    ),
}


@pytest.mark.parametrize("where", [*EVERYWHERE, "a processor"])
def test_a_normalization_is_found(where: str) -> None:
    if where == "a processor":
        place = processor(image_mean=list(MEAN), image_std=list(STD))
    else:
        place = EVERYWHERE[where]
    found = know(place).normalization
    assert found is not None
    assert found.mean == pytest.approx(MEAN, abs=1e-6)
    assert found.std == pytest.approx(STD, abs=1e-6)
    assert found.applied


NOWHERE = {
    "nothing": None,
    "a list of batches": [digits()[0][:4], digits()[1][:4]],
    "no normalization": Digits(Compose()),
    "two of them": Digits(Compose(PHOTOGRAPHS, Normalize(0.5, 0.5))),
    "by the image": Digits(Normalize(MEAN, STD, normalization="image")),
    "without numbers": Digits(Normalize(None, None)),
    "the class itself": Normalize,
}


@pytest.mark.parametrize("where", NOWHERE)
def test_no_normalization_is_made_up(where: str) -> None:
    assert know(NOWHERE[where]) == Known()


def test_no_normalization_is_made_up_from_a_processor_without_scaling() -> None:
    assert know(processor(do_rescale=False)) == Known()


def test_a_data_set_that_refuses_to_be_looked_at_knows_nothing() -> None:
    class Refusing:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

    assert know(Refusing()) == Known()


def test_a_processor_that_only_scales_leaves_images_in_zero_to_one() -> None:
    found = know(processor(do_normalize=False)).normalization
    assert found is not None
    assert (found.mean, found.std) == ((0.0,), (1.0,))


@pytest.mark.parametrize(
    ("data", "names"),
    [
        (Digits(classes=list(NAMES)), NAMES),
        (DataLoader(Subset(Digits(classes=NAMES), [0])), NAMES),
        (Digits(classes=[("tench", "Tinca tinca"), ("goldfish",)]), ("tench", "goldfish")),
        (Digits(vocab=["cat", "dog"]), ("cat", "dog")),
        (hugging_face(None, labels=SimpleNamespace(names=["cat", "dog"])), ("cat", "dog")),
        (hugging_face(None, breed=SimpleNamespace(names=["cat", "dog"]), image=0), ("cat", "dog")),
        (ConcatDataset([Digits(classes=["a", "b"]), Digits(classes=["b", "a"])]), None),
        (Digits(classes=list(NAMES), target_transform=lambda label: label // 2), None),
        (Digits(classes=torch.arange(10)), None),
        (Digits(classes="cat"), None),
        (Digits(classes=["one"]), None),
    ],
)
def test_class_names_are_found(data: Any, names: Any) -> None:
    found = know(data).class_names
    assert (found and found.names) == names


def test_models_know_their_names_and_what_they_were_trained_with() -> None:
    from transformers import ViTConfig, ViTForImageClassification

    sizes: Any = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    sizes |= {"intermediate_size": 8, "image_size": 4, "patch_size": 2}
    named = ViTForImageClassification(ViTConfig(id2label={0: "cat", 1: "dog"}, **sizes))
    found = know_model(nn.Sequential(nn.Identity(), named)).class_names
    assert found == (("cat", "dog"), "the model's config.id2label")
    unnamed = ViTConfig(**sizes, num_labels=3)  # type: ignore[call-arg]  # a base class takes it
    assert know_model(ViTForImageClassification(unnamed)) == Known()
    network: Any = convolutional()
    network.pretrained_cfg = {"mean": MEAN, "std": STD, "label_names": ["cat", "dog"]}
    found_all = know_model(network)
    assert found_all.class_names == (("cat", "dog"), "the model's pretrained_cfg.label_names")
    assert found_all.normalization == Normalization(
        MEAN, STD, "the model's pretrained_cfg", applied=False
    )


def test_what_is_applied_counts_more_than_what_a_model_was_trained_with() -> None:
    trained = Known(None, Normalization(MEAN, STD, "", applied=False))
    applied = Known(None, Normalization((0.5,), (0.5,), "", applied=True))
    assert trained.or_else(applied) == applied.or_else(trained) == applied


@pytest.mark.parametrize(
    ("change", "trained", "applied"),
    [
        (lambda image: (image - 0.1307) / 0.3081, True, True),
        (lambda image: image, False, True),  # black is 0, which would be painted grey
        (lambda image: 0.1307 + image * 0, False, True),  # all of one grey
        (lambda image: image * 5 - 1, False, False),
        (lambda image: image * torch.nan, False, False),
        (lambda image: image[:, 0], False, False),
    ],
)
def test_a_normalization_must_fit_the_images(change: Any, trained: bool, applied: bool) -> None:
    images = digits()[0][:16]
    images = (images - images.amin()) / (images.amax() - images.amin())
    for expected, is_applied in ((trained, False), (applied, True)):
        one = Normalization((0.1307,), (0.3081,), "", is_applied)
        assert one.fits(change(images)) == expected


def trained(folder: Path, network: nn.Module, loader: Any, **options: Any) -> list[Sample]:
    with GradAscentHook(
        network, folder, criterion=ProbabilityMargin(1), strict=True, **options, ascent=BRIEF
    ) as hook:
        for images, labels in loader:
            hook(images, network(images), labels)
    trained.health = {notice.code for notice in hook.health}  # type: ignore[attr-defined]
    return list(read_samples(folder))


def test_a_user_who_gives_the_loader_sees_names_and_true_colours(tmp_path: Path) -> None:
    data = Digits(Normalize(0.1307, 0.3081), classes=NAMES)
    loader = DataLoader(data, 64)
    samples = trained(tmp_path, convolutional(), loader, data=loader)
    low, high = -0.1307 / 0.3081, (1 - 0.1307) / 0.3081
    assert samples
    for sample in samples:
        assert sample.class_names == NAMES
        assert (sample.mean, sample.std) == ((0.1307,), (0.3081,))
        assert sample.bounds is not None
        np.testing.assert_allclose(np.array(sample.bounds), np.array([[low], [high]]), rtol=1e-6)
    health = trained.health  # type: ignore[attr-defined]
    assert {"found-class-names", "found-normalization"} <= health


def test_what_the_user_gives_counts(tmp_path: Path) -> None:
    data = Digits(Normalize(0.1307, 0.3081), classes=NAMES)
    given: Any = {"class_names": list("0123456789"), "bounds": (-1, 3), "data": data}
    samples = trained(tmp_path, convolutional(), DataLoader(data, 64), **given)
    assert {sample.class_names for sample in samples} == {tuple("0123456789")}
    assert {sample.mean for sample in samples} == {None}
    assert not {"found-class-names", "found-normalization"} & trained.health  # type: ignore[attr-defined]


def test_what_does_not_fit_is_not_used_and_said(tmp_path: Path) -> None:
    network: Any = convolutional()
    network.pretrained_cfg = {"mean": [0.9], "std": [0.01], "label_names": ["cat", "dog"]}
    samples = trained(tmp_path, network, DataLoader(Digits(), 64))
    assert {(sample.class_names, sample.mean) for sample in samples} == {(None, None)}
    health = trained.health  # type: ignore[attr-defined]
    assert {"unused-class-names", "unused-normalization"} <= health


def test_a_scan_learns_from_its_loader(tmp_path: Path) -> None:
    network = convolutional()
    data = Digits(Normalize(0.1307, 0.3081), classes=NAMES)
    with GradAscentHook(
        network, tmp_path, criterion=ProbabilityMargin(1), ascent=None, strict=True
    ) as hook:
        images, labels = next(iter(DataLoader(data, 16)))
        hook(images, network(images), labels)
        hook.scan(DataLoader(data, 16))
    scanned = list(read_samples(tmp_path, tag="scan"))
    assert scanned
    assert {(sample.class_names, sample.mean) for sample in scanned} == {(NAMES, (0.1307,))}
    assert {sample.mean for sample in read_samples(tmp_path, tag="confused")} == {None}
