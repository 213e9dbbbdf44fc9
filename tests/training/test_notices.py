"""What may make a record wrong is recognised, and said once, or does no harm.

The oracle is plain torch: the same network asked without the hook.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import (
    Entropy,
    GradAscentHook,
    LogitMargin,
    ProbabilityMargin,
    Sample,
    read_samples,
)

ALL = ProbabilityMargin(1.0)
IMAGES = torch.rand(16, 1, 12, 12, generator=torch.Generator().manual_seed(3))


def network(classes: int = 5, *more: nn.Module) -> nn.Sequential:
    """A small network that answers the same in training and in eval mode."""
    torch.manual_seed(1)
    last = nn.Linear(24, classes)
    with torch.no_grad():
        last.weight.mul_(4)
    return nn.Sequential(nn.Flatten(), nn.Linear(144, 24), nn.Tanh(), last, *more)


def recorded(
    folder: Path, model: nn.Module, *call: Any, **options: Any
) -> tuple[list[Sample], set[str]]:
    """Record one call with ids. Return the samples and the codes of the notices."""
    with GradAscentHook(model, folder, **{"criterion": ALL, **options}) as hook:
        hook(*call, ids=range(len(call[0])))
        codes = {notice.code for notice in hook.health}
    return list(read_samples(folder)), codes


def assert_asked(samples: list[Sample], expected: Tensor) -> None:
    """Check the recorded probabilities against those of all inputs, shape (N, C)."""
    assert samples
    for sample in samples:
        assert sample.id is not None
        exact = expected[int(sample.id)].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=1e-5)


# Labels.


@pytest.mark.parametrize(
    "criterion", [ProbabilityMargin(1.0), LogitMargin(99.0), Entropy(0), lambda z, y: z[:, 0]]
)
def test_soft_labels_are_captured_by_criteria_without_labels(
    tmp_path: Path, criterion: Any
) -> None:
    model = network()
    mixed = 0.7 * torch.eye(5)[torch.arange(16) % 5] + 0.3 * torch.eye(5)[torch.arange(16) % 3]
    samples, codes = recorded(tmp_path, model, IMAGES, model(IMAGES), mixed, criterion=criterion)
    assert len(samples) == 4
    assert codes == {"soft-labels"}
    for sample in samples:
        row = int(sample.id or -1)
        assert sample.label == (row % 5 if row % 5 == row % 3 else None)


def test_multi_label_rows_are_said_and_not_recorded(tmp_path: Path) -> None:
    model = network()
    labels = (torch.arange(80).reshape(16, 5) % 3 == 0).float()
    samples, codes = recorded(tmp_path, model, IMAGES, model(IMAGES), labels)
    assert codes == {"multi-label"}
    assert [sample.label for sample in samples] == [None] * 4


@pytest.mark.parametrize("shape", [(16,), (16, 1)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.int64])
def test_one_logit_takes_labels_of_both_shapes(
    tmp_path: Path, shape: tuple[int, ...], dtype: torch.dtype
) -> None:
    model = network(1)
    truth = torch.arange(16) % 2
    logits = model(IMAGES)
    labels = truth.to(dtype).reshape(shape)
    samples, codes = recorded(tmp_path, model, IMAGES, logits, labels)
    assert codes == set()
    assert [sample.label for sample in samples] == [int(s.id or -1) % 2 for s in samples]
    chance = logits.sigmoid()
    assert_asked(samples, torch.cat((1 - chance, chance), 1))


# Names and ids.


def test_class_names_may_be_a_mapping(tmp_path: Path) -> None:
    model = network(3)
    for names in ({0: "a", 1: "b", 2: "c"}, {"2": "c", "0": "a", "1": "b"}):
        samples, codes = recorded(
            tmp_path / repr(names)[1], model, IMAGES, model(IMAGES), class_names=names
        )
        assert {sample.class_names for sample in samples} == {("a", "b", "c")}
        assert codes == set()


def test_a_long_id_costs_no_sample(tmp_path: Path) -> None:
    with GradAscentHook(network(), tmp_path, criterion=ALL, strict=True) as hook:
        assert hook(IMAGES, None, ids=["x" * 300 + str(row) for row in range(16)]) == 4
    ids = {sample.id for sample in read_samples(tmp_path)}
    assert len(ids) == 4


# Shapes of inputs.


class OfBytes(nn.Module):
    """Normalises inside."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x.float() / 255 - 0.5)
        return logits


def test_bytes_are_captured_within_0_to_255(tmp_path: Path) -> None:
    model = OfBytes()
    images = (IMAGES * 256).byte()
    samples, codes = recorded(tmp_path, model, images, model(images))
    assert codes == set()
    assert_asked(samples, model(images).softmax(1))
    for sample in samples:
        assert sample.bounds == ((0.0,), (255.0,))
        for target in sample.targets:
            for morph in target.morphs.values():
                assert (sample.image + morph.delta).min() >= -0.01
                assert (sample.image + morph.delta).max() <= 255.01


def test_the_remedy_for_channels_last_works(tmp_path: Path) -> None:
    class ChannelsLast(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 36, 5))

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.inner(x.permute(0, 3, 1, 2))
            return logits

    model, x = ChannelsLast(), torch.rand(6, 8, 8, 3)
    with GradAscentHook(model, tmp_path / "wrong") as hook:
        assert hook(x, model(x)) == 0
        (notice,) = hook.health
    assert "hook(x.permute(0, 3, 1, 2), …)" in notice.message
    assert "forward=lambda model, x: model(x.permute(0, 2, 3, 1))" in notice.message
    samples, codes = recorded(
        tmp_path / "right",
        model,
        x.permute(0, 3, 1, 2),
        model(x),
        forward=lambda model, x: model(x.permute(0, 2, 3, 1)),
    )
    assert codes == set()
    assert_asked(samples, model(x).softmax(1))


def test_images_without_a_channel_are_said_unless_they_are_signals(tmp_path: Path) -> None:
    model = network()
    x = IMAGES[:, 0]
    assert recorded(tmp_path / "auto", model, x, model(x))[1] == {"no-channel"}
    assert recorded(tmp_path / "signal", model, x, model(x), kind="signal")[1] == set()
    wave = x.flatten(1)[:, None]
    assert recorded(tmp_path / "wave", model, wave, model(x))[1] == set()
    with GradAscentHook(model, tmp_path / "image", kind="image", strict=True) as hook:
        with pytest.raises(ValueError, match=r"hook\(x\[:, None\], …\)"):
            hook(x, model(x))
        assert hook.health == ()


def test_a_kind_that_is_not_supported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='kind must be "auto" or "image" or "signal"'):
        GradAscentHook(network(), tmp_path, kind="video")  # type: ignore[arg-type]


# Probabilities instead of logits.


class Heads(nn.Module):
    """Ends in a function of the logits."""

    def __init__(self, classes: int, last: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.inner = network(classes)
        self.last = last

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.inner(x))


ENDS: dict[str, tuple[int, Callable[[Tensor], Tensor], str]] = {
    "softmax": (5, lambda z: z.softmax(1), "softmax"),
    "softmax in a view": (5, lambda z: z[:, None].softmax(2)[:, 0], "softmax"),
    "softmax in half": (5, lambda z: z.softmax(1).bfloat16(), "softmax"),
    "clamped": (5, lambda z: z.softmax(1).clamp(1e-7, 1), "softmax"),
    "an average": (5, lambda z: torch.stack((z, 2 * z)).softmax(2).mean(0), "softmax"),
    "exp of log": (5, lambda z: z.log_softmax(1).exp(), "softmax"),
    "a column": (2, lambda z: z.softmax(1)[:, 1], "sigmoid"),
    "sigmoid": (1, lambda z: z.sigmoid(), "sigmoid"),
    "flat sigmoid": (1, lambda z: z.sigmoid()[:, 0], "sigmoid"),
}


@pytest.mark.parametrize("name", ENDS)
@pytest.mark.parametrize("detached", [False, True])
def test_probabilities_are_not_read_as_logits(tmp_path: Path, name: str, detached: bool) -> None:
    classes, last, form = ENDS[name]
    model = Heads(classes, last)
    output = model(IMAGES)
    given = output.detach() if detached else output
    samples, codes = recorded(tmp_path, model, IMAGES, given)
    assert codes == {f"{form}-output"}
    own = output.detach().float()
    if form == "sigmoid":
        own = own.reshape(16, 1)
        own = torch.cat((1 - own, own), 1)
    tolerance = 1e-2 if name == "softmax in half" else 1e-5
    for sample in samples:
        exact = own[int(sample.id or -1)].numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=tolerance)
        for target in sample.targets[1:]:
            if name != "softmax in half":
                assert target.stopped == "confidence"
    margins = own.topk(2, 1).values.diff(dim=1).abs()[:, 0]
    expected = margins.argsort()[:4].tolist()
    if name != "softmax in half":
        assert [int(sample.id or -1) for sample in samples] == expected


@pytest.mark.parametrize(
    "last",
    [
        lambda z: z,
        lambda z: z.log_softmax(1),
        lambda z: 0.1 + z.square() / z.square().amax() / 2,
        lambda z: 10 * z.softmax(1),
        lambda z: z.sigmoid() * 4 - 2,
    ],
    ids=["logits", "log-softmax", "positive", "scaled", "shifted"],
)
def test_other_outputs_are_read_as_logits(tmp_path: Path, last: Callable[[Tensor], Tensor]) -> None:
    model = Heads(5, last)
    samples, codes = recorded(tmp_path, model, IMAGES, model(IMAGES))
    assert codes == set()
    assert_asked(samples, model(IMAGES).softmax(1))


def test_one_positive_logit_is_not_taken_for_a_sigmoid(tmp_path: Path) -> None:
    model = Heads(1, lambda z: 0.2 + 0.1 * z.tanh())
    logits = model(IMAGES)
    samples, codes = recorded(tmp_path, model, IMAGES, logits.detach())
    assert codes == set()
    chance = logits.sigmoid()
    assert_asked(samples, torch.cat((1 - chance, chance), 1))


def test_saturated_probabilities_give_finite_arrays(tmp_path: Path) -> None:
    for classes, last in ((5, nn.Softmax(1)), (1, nn.Sigmoid())):
        model = network(classes, last)
        with torch.no_grad():
            model[3].weight.mul_(1000)  # type: ignore[operator, union-attr]
        samples, _ = recorded(tmp_path / str(classes), model, IMAGES, model(IMAGES))
        for sample in samples:
            assert np.isfinite(sample.probabilities).all()
            for target in sample.targets:
                assert np.isfinite(target.gradient).all()
