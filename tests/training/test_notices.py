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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.distributed.tensor import Replicate, Shard
from torch.func import functional_call
from torch.utils.checkpoint import checkpoint

from tb_gradascent import (
    Ascent,
    Entropy,
    GradAscentHook,
    LogitMargin,
    ProbabilityMargin,
    Sample,
    read_samples,
)
from testing.brief import BRIEF
from testing.networks import convolutional, digits
from testing.painted import painted

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
    with GradAscentHook(model, folder, **{"criterion": ALL, "ascent": BRIEF, **options}) as hook:
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
    with GradAscentHook(network(), tmp_path, criterion=ALL, strict=True, ascent=BRIEF) as hook:
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
                assert (sample.image + morph.delta).min() >= -1, "as stored"
                assert (sample.image + morph.delta).max() <= 256


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
    samples, codes = recorded(tmp_path, model, IMAGES, given, ascent=Ascent.smallest())
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
        lambda z: 0.1 + 0.5 * z.square() / (1 + z.square()),
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
            model[3].weight.mul_(1000)  # type: ignore[operator]
        samples, _ = recorded(tmp_path / str(classes), model, IMAGES, model(IMAGES))
        for sample in samples:
            assert np.isfinite(sample.probabilities).all()
            for target in sample.targets:
                assert np.isfinite(target.gradient).all()


# What is painted is what was judged.


@settings(
    deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 1000),
    channels=st.sampled_from([1, 3]),
    options=st.sampled_from(
        [{}, {"mean": 0.5, "std": 0.25}, {"bounds": (0, 1)}, {"bounds": (-0.5, 0.8)}]
    ),
)
def test_the_network_says_the_same_of_what_is_painted(
    tmp_path: Path, seed: int, channels: int, options: dict[str, Any]
) -> None:
    """Also of images outside of the bounds, and beyond the end of the morph."""
    folder = tmp_path / f"{seed}-{channels}-{len(list(tmp_path.iterdir()))}"
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(channels, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 36, 4))
    images = torch.randn(12, channels, 8, 8) * 0.4 + 0.3
    with GradAscentHook(
        model, folder, every=1, criterion=ALL, ascent=BRIEF, strict=True, **options
    ) as hook:
        for batch in images.split(6):
            assert hook(batch, model(batch)) == 4
        hook.probe(2 * images[:1])
        hook(images[:2], model(images[:2]))
        assert hook.health == ()
    samples = list(read_samples(folder))
    assert len(samples) == 11
    for sample in samples:
        for target in sample.targets:
            for morph in target.morphs.values():
                for place, strength in enumerate(morph.strengths):
                    with torch.no_grad():
                        said = model(painted(sample, float(strength), morph.delta)).softmax(1)[0]
                    assert said[target.index].item() == pytest.approx(
                        morph.probabilities[place], abs=0.01
                    )


def test_by_default_the_bounds_are_the_values_seen_so_far(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(2 * 16, 3))
    wide = torch.randn(4, 2, 4, 4) * torch.tensor([1.0, 3.0]).reshape(2, 1, 1)
    narrow = wide / 2
    with GradAscentHook(model, tmp_path, every=1, criterion=ALL, ascent=BRIEF, strict=True) as hook:
        for batch in (narrow, wide, narrow):
            hook(batch, model(batch))
    seen = {sample.step: sample.bounds for sample in read_samples(tmp_path)}
    for step, batch in ((0, narrow), (1, wide), (2, wide)):
        bounds = seen[step]
        assert bounds is not None
        np.testing.assert_allclose(bounds[0], batch.amin((0, 2, 3)), rtol=1e-6)
        np.testing.assert_allclose(bounds[1], batch.amax((0, 2, 3)), rtol=1e-6)


def test_a_batch_of_one_colour_is_captured(tmp_path: Path) -> None:
    model = network()
    images = torch.full((4, 1, 12, 12), 0.5)
    samples, codes = recorded(tmp_path, model, images, model(images))
    assert codes == {"constant-inputs"}
    assert {sample.bounds for sample in samples} == {((0.5,), (1.5,))}


# Selection.


class Moody(nn.Module):
    """Is sure in eval mode of every second image, and confused by all of them in training mode."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = network()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.inner(x)
        if self.training:
            return logits * 1e-3
        sure = (x.flatten(1)[:, :1] > 0.5) * 20 * torch.eye(5)[0]
        return logits * 1e-3 + sure


def test_a_recorded_sample_is_confused_in_eval_mode_too(tmp_path: Path) -> None:
    model = Moody()
    with GradAscentHook(model, tmp_path, top_k=3, ascent=BRIEF) as hook:
        assert hook(IMAGES, model(IMAGES), ids=range(16)) == 3
    sure = IMAGES.flatten(1)[:, 0] > 0.5
    assert 0 < sure.sum() < 16
    samples = list(read_samples(tmp_path))
    for sample in samples:
        assert not sure[int(sample.id or -1)]
        assert sample.margin <= 0.5
        trained = model.inner(IMAGES[int(sample.id or -1)][None]).mul(1e-3).softmax(1)[0]
        first, second = trained.sort(descending=True).values[:2].tolist()
        assert sample.loop_margin == pytest.approx(first - second, abs=1e-6)


def test_nothing_is_recorded_if_no_candidate_holds(tmp_path: Path) -> None:
    model = Moody()
    with GradAscentHook(model, tmp_path) as hook:
        assert hook(IMAGES.abs() + 1, model(IMAGES)) == 0


def test_one_pass_confirms_the_candidates(tmp_path: Path) -> None:
    model = network()
    rows: list[int] = []
    with GradAscentHook(model, tmp_path, every=1, criterion=ALL, ascent=None, top_k=2) as hook:
        for call in range(9):
            logits = model(IMAGES)
            model.register_forward_hook(lambda _, inputs, __: rows.append(len(inputs[0])))
            rows.clear()
            hook(IMAGES, logits)
            model._forward_hooks.clear()
            # 2 rows for the form, 16 for candidates and check, 1 and 1 for a row alone, 2 at last.
            checked = {0: [2, 16, 1, 1, 2], 1: [16, 1, 1, 2]}.get(call, [6, 2])
            if call in (3, 7):
                checked = [16, 1, 1, 2]
            assert rows == checked, call


# Networks that do not answer as the loop's did, at random, in company, or without a gradient.


def dead_ends() -> dict[str, nn.Module]:
    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                features = self.inner[:3](x)
            logits: Tensor = self.inner[3](features)
            return logits

    class Frozen(Detached):
        def forward(self, x: Tensor) -> Tensor:
            with torch.no_grad():
                logits: Tensor = self.inner(x)
                return logits

    class Rounded(Detached):
        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.inner((x * 4).round() / 4)
            return logits

    return {"detached": Detached(), "frozen": Frozen(), "rounded": Rounded()}


@pytest.mark.parametrize("name", dead_ends())
def test_a_gradient_that_does_not_reach_the_image_is_said(tmp_path: Path, name: str) -> None:
    model = dead_ends()[name]
    with GradAscentHook(model, tmp_path, every=1, criterion=ALL, ascent=BRIEF) as hook:
        for _ in range(2):
            assert hook(IMAGES, model(IMAGES)) == 4
        (notice,) = hook.health
    assert notice.code == "no-gradient"
    assert ("round" in notice.message) == (name == "rounded")
    for sample in read_samples(tmp_path):
        assert all(target.gradient_norm == 0 for target in sample.targets)


def test_a_last_layer_of_zeros_at_the_start_is_no_dead_end(tmp_path: Path) -> None:
    model = network()
    nn.init.zeros_(model[3].weight)  # type: ignore[arg-type]
    with GradAscentHook(model, tmp_path, every=1, criterion=ALL, ascent=BRIEF) as hook:
        hook(IMAGES, model(IMAGES))
        nn.init.normal_(model[3].weight)  # type: ignore[arg-type]
        for _ in range(3):
            hook(IMAGES, model(IMAGES))
        assert hook.health == ()


def test_random_answers_in_eval_mode_are_said(tmp_path: Path) -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.inner(nn.functional.dropout(x, 0.5))
            return logits

    model = Noisy()
    samples, codes = recorded(tmp_path, model, IMAGES, model(IMAGES))
    assert codes == {"random-answers"}
    for sample in samples:
        morphs = [morph for target in sample.targets for morph in target.morphs.values()]
        found = [(sample.spread, sample.probabilities[0])]
        found += [(morph.spread, morph.probabilities[8]) for morph in morphs]
        for spread, mean in found:
            assert spread is not None
            assert spread[0] < mean < spread[1]


def test_a_network_that_answers_the_same_has_no_spread(tmp_path: Path) -> None:
    model = network()
    for sample in recorded(tmp_path, model, IMAGES, model(IMAGES))[0]:
        morphs = [morph for target in sample.targets for morph in target.morphs.values()]
        assert {sample.spread, *(morph.spread for morph in morphs)} == {None}


def mixing() -> dict[str, nn.Module]:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = network(12), nn.Linear(12, 4)

        def forward(self, x: Tensor) -> Tensor:
            rows = self.first(x)
            logits: Tensor = self.last((rows @ rows.T / 4).softmax(1) @ rows)
            return logits

    norm = nn.BatchNorm2d(4, track_running_stats=False)
    torch.manual_seed(0)
    return {
        "batch norm": nn.Sequential(
            nn.Conv2d(1, 4, 3), norm, nn.ReLU(), nn.Flatten(), nn.Linear(400, 4)
        ),
        "attention": Attention(),
    }


@pytest.mark.parametrize("name", mixing())
def test_rows_that_mix_are_recorded_one_by_one(tmp_path: Path, name: str) -> None:
    model = mixing()[name]
    with GradAscentHook(model, tmp_path, criterion=ALL, ascent=BRIEF) as hook:
        assert hook(IMAGES, None, ids=range(16)) == 4
        assert {notice.code for notice in hook.health} == {"rows-mix"}
    for sample in read_samples(tmp_path):
        row = IMAGES[int(sample.id or -1)][None].requires_grad_()
        logits = model(row)
        exact = logits.softmax(1)[0].detach().numpy()
        np.testing.assert_allclose(sample.probabilities, exact[sample.classes], atol=1e-5)
        for target in sample.targets:
            (gradient,) = torch.autograd.grad(logits[0, target.index], row, retain_graph=True)
            np.testing.assert_allclose(
                target.gradient, gradient[0].numpy(), atol=2e-3 * float(gradient.abs().max())
            )
            for morph in target.morphs.values():
                for place, strength in enumerate(morph.strengths):
                    with torch.no_grad():
                        said = model(painted(sample, float(strength), morph.delta)).softmax(1)[0]
                    assert said[target.index].item() == pytest.approx(
                        morph.probabilities[place], abs=1e-4
                    )


def test_a_scan_is_checked_too(tmp_path: Path) -> None:
    model = mixing()["attention"]
    images = IMAGES.clone()
    images[0] = torch.nan
    with GradAscentHook(model, tmp_path, criterion=ALL, ascent=BRIEF) as hook:
        assert hook.scan([images[4:], images[:4]], top_k=3) == 3
        assert {notice.code for notice in hook.health} == {"rows-mix", "not-finite-inputs"}


def test_other_inputs_than_the_models_are_said_at_once(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(800, 5))
    logits = model((IMAGES - 0.13) / 0.03)
    assert recorded(tmp_path, model, IMAGES, logits)[1] == {"other-answers"}


def test_strict_raises_what_makes_a_record_wrong(tmp_path: Path) -> None:
    model = network()
    with GradAscentHook(model, tmp_path, criterion=ALL, strict=True, ascent=BRIEF) as hook:
        with pytest.raises(ValueError, match="The model does not answer as the loop's logits say"):
            hook(IMAGES, model(-3 * IMAGES))


def test_another_model_than_the_loops_is_said_at_once(tmp_path: Path) -> None:
    model, other = network(), network()
    with torch.no_grad():
        other[3].bias.add_(torch.randn(5))  # type: ignore[operator]
    weights = {name: 2 * value for name, value in model.named_parameters()}
    for place, logits in enumerate((other(IMAGES), functional_call(model, weights, (IMAGES,)))):
        codes = recorded(tmp_path / str(place), model, IMAGES, logits)[1]
        assert codes == {"other-answers"}


@pytest.mark.parametrize(
    ("kind", "before_step"),
    [
        ("right", True),
        ("right", False),
        ("not normalised", True),
        pytest.param("not normalised", False, marks=pytest.mark.slow),
        pytest.param("an old copy", True, marks=pytest.mark.slow),
        ("an old copy", False),
    ],
)
def test_a_training_with_batch_norm_and_dropout_is_compared_by_its_predictions(
    tmp_path: Path, kind: str, before_step: bool
) -> None:
    """The right one gives no notice from the first step on, at a high learning rate."""
    images, labels = digits()
    if kind == "right":
        images = images[:, :, ::2, ::2]  # every second pixel, to be quick
    model = convolutional()
    copy_of_model = convolutional(seed=3)
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    watched = copy_of_model if kind == "an old copy" else model
    with GradAscentHook(watched, tmp_path, every=1, ascent=None, max_overhead=None) as hook:
        for step in range(32 if kind == "right" else 64):
            rows = slice(32 * step, 32 * step + 32)
            logits = model(images[rows])
            shown = images[rows] * 0.05 - 3 if kind == "not normalised" else images[rows]
            if before_step:
                hook(shown, logits, labels[rows])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, labels[rows]).backward()
            optimizer.step()
            if not before_step:
                hook(shown, logits, labels[rows])
            if kind != "right" and hook.health:
                break
        codes = {notice.code for notice in hook.health}
    assert codes == (set() if kind == "right" else {"other-answers"})


@pytest.mark.parametrize("before_step", [True, False])
def test_batch_norm_that_contradicts_itself_is_said(tmp_path: Path, before_step: bool) -> None:
    images, labels = digits()
    model = convolutional()
    model[1].momentum = 0.001  # type: ignore[assignment]
    model[8] = nn.Identity()
    images = images[:, :, ::2, ::2] * 5 + 20  # every second pixel, to be quick
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    with GradAscentHook(model, tmp_path, every=2, ascent=None, max_overhead=None) as hook:
        for step in range(40):
            rows = slice(32 * step, 32 * step + 32)
            logits = model(images[rows])
            if before_step:
                hook(images[rows], logits, labels[rows])
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, labels[rows]).backward()
            optimizer.step()
            if not before_step:
                hook(images[rows], logits, labels[rows])
        (notice,) = hook.health
    assert notice.code == "eval-contradicts-training"
    assert notice.message.count("%") == 2


# Data.


def test_a_probe_of_one_colour_is_said(tmp_path: Path) -> None:
    model = network()
    with GradAscentHook(model, tmp_path, criterion=ALL, ascent=BRIEF) as hook:
        hook.probe(torch.zeros(1, 1, 12, 12))
        assert hook(IMAGES, model(IMAGES)) == 5
        assert {notice.code for notice in hook.health} == {"constant-inputs"}


def test_labels_beyond_the_classes_and_broken_pixels_are_said(tmp_path: Path) -> None:
    model = network()
    images = IMAGES.clone()
    images[3, 0, 2, 2] = torch.nan
    labels = torch.arange(16)
    samples, codes = recorded(tmp_path, model, images, model(images), labels)
    assert codes == {"labels-beyond-classes", "not-finite-inputs"}
    for sample in samples:
        assert sample.bounds is not None
        assert np.isfinite(sample.bounds).all()


# Outputs of several parts.


class Parts(nn.Module):
    """Returns the logits beside something else."""

    def __init__(self, kind: str, only_in_eval: bool = False) -> None:
        super().__init__()
        self.inner = network()
        self.kind, self.only_in_eval = kind, only_in_eval

    def forward(self, x: Tensor) -> Any:
        features = self.inner[:3](x)
        logits = self.inner[3](features)
        if self.only_in_eval and self.training:
            return logits
        outputs: dict[str, Any] = {
            "features": (features, logits),
            "probabilities": (logits.softmax(1), logits),
            "loss": (logits.logsumexp(1).mean(), logits),
            "losses": (logits.logsumexp(1), logits),
            "same width": (-3 * logits, logits),
            "last": (logits, features),
        }
        return outputs[self.kind]


@pytest.mark.parametrize(
    "kind", ["features", "probabilities", "loss", "losses", "same width", "last"]
)
def test_the_logits_are_found_in_the_models_output(tmp_path: Path, kind: str) -> None:
    model = Parts(kind, only_in_eval=True)
    logits = model(IMAGES)
    samples, codes = recorded(tmp_path, model, IMAGES, logits)
    assert codes == set()
    assert_asked(samples, logits.softmax(1))


@pytest.mark.parametrize("kind", ["features", "loss", "losses", "probabilities", "last"])
def test_the_logits_are_found_in_what_the_loop_gives_whole(tmp_path: Path, kind: str) -> None:
    model = Parts(kind)
    output = model(IMAGES)
    logits = output[0] if kind == "last" else output[1]
    samples, codes = recorded(tmp_path, model, IMAGES, output, class_names=list("abcde"))
    assert codes == set()
    assert_asked(samples, logits.softmax(1))


@pytest.mark.parametrize("given", [True, False])
def test_in_doubt_an_output_of_several_parts_is_refused(tmp_path: Path, given: bool) -> None:
    model = Parts("features")
    with GradAscentHook(model, tmp_path, strict=True) as hook:
        with pytest.raises(ValueError, match=r"shape \(\d+, 24\), a float32 tensor of") as e:
            hook(IMAGES, model(IMAGES) if given else None)
    assert ("hook(x, output[…], …)" if given else "model(inputs)[…]") in str(e.value)


def test_another_number_of_classes_than_the_loops_is_refused(tmp_path: Path) -> None:
    model = network()
    with GradAscentHook(model[:3], tmp_path, strict=True) as hook:
        with pytest.raises(ValueError, match=r"must return logits of shape \(2, 5\).*\(2, 24\)"):
            hook(IMAGES, model(IMAGES))


# Attached hooks.


def attached(folder: Path, model: nn.Module, run: Callable[[nn.Module], Any]) -> GradAscentHook:
    """One step of a training with an attached hook."""
    optimizer = torch.optim.SGD(model.parameters(), 0.0)
    with GradAscentHook(model, folder, criterion=ALL, ascent=BRIEF) as hook:
        hook.attach(optimizer)
        run(model)
        optimizer.step()
    return hook


def test_an_attached_hook_says_what_it_saw(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Flatten(0), nn.Linear(144, 5))
    hook = attached(tmp_path, model, lambda model: model(IMAGES[0, 0]))
    (notice,) = hook.health
    assert "The last pass was given a float32 tensor of shape (12, 12)" in notice.message
    assert "returned a float32 tensor of shape (5,)" in notice.message


def test_an_attached_hook_finds_logits_behind_the_loss(tmp_path: Path) -> None:
    model = Parts("loss")
    hook = attached(tmp_path, model, lambda model: model(IMAGES))
    assert hook.health == ()
    assert hook.stats.captured == 4


def test_bytes_are_found_by_an_attached_hook(tmp_path: Path) -> None:
    hook = attached(tmp_path, OfBytes(), lambda model: model((IMAGES * 255).byte()))
    assert hook.health == ()
    assert hook.stats.captured == 4


def test_a_wrapped_optimizer_is_unwrapped_or_named(tmp_path: Path) -> None:
    class Wrapper:
        def __init__(self, opt: object) -> None:
            self.opt = opt

    model = network()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    wrapped: Any = Wrapper(optimizer)
    with GradAscentHook(model, tmp_path, strict=True, ascent=BRIEF) as hook:
        hook.attach(wrapped)
        model(IMAGES).sum().backward()
        optimizer.step()
        assert hook.stats.captured > 0
        with pytest.raises(ValueError, match=r"a Wrapper of the module tests\.training"):
            hook.attach(Wrapper(None))  # type: ignore[arg-type]


def test_multi_label_rows_that_a_model_is_given_are_said(tmp_path: Path) -> None:
    class WithLoss(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
            return {"logits": self.inner(x)}

    labels = (torch.arange(80).reshape(16, 5) % 3 == 0).float()
    hook = attached(tmp_path, WithLoss(), lambda model: model(IMAGES, labels=labels))
    assert {notice.code for notice in hook.health} == {"multi-label"}
    assert hook.stats.captured == 4


# Models that need special care.


def test_reentrant_checkpoints_are_captured(tmp_path: Path) -> None:
    class Checkpointed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            features = checkpoint(self.inner[:3], x, use_reentrant=True)
            logits: Tensor = self.inner[3](features)
            return logits

    model = Checkpointed()
    images = IMAGES.clone().requires_grad_()
    samples, codes = recorded(tmp_path, model, images, model(images))
    assert codes == set()
    assert_asked(samples, model.inner(IMAGES).softmax(1))
    for sample in samples:
        row = torch.tensor(sample.image)[None].requires_grad_()
        for target in sample.targets:
            (exact,) = torch.autograd.grad(model.inner(row)[0, target.index], row)
            np.testing.assert_allclose(
                target.gradient, exact[0].numpy(), atol=2e-3 * float(exact.abs().max())
            )
    model(images).sum().backward()
    assert model.inner[1].weight.grad is not None, "the loop checkpoints as before"


def test_a_first_parameter_without_data_does_not_decide_the_device(tmp_path: Path) -> None:
    class Offloaded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.away = nn.Parameter(torch.empty(3, device="meta"))
            self.inner = network()

        def forward(self, x: Tensor) -> Tensor:
            logits: Tensor = self.inner(x)
            return logits

    model = Offloaded()
    samples, codes = recorded(tmp_path, model, IMAGES, model(IMAGES))
    assert codes == set()
    assert_asked(samples, model(IMAGES).softmax(1))


def test_parameters_of_zero_3_are_refused(tmp_path: Path) -> None:
    model = network()
    model[1].weight.ds_id = 0  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="ZeRO-3"):
        GradAscentHook(model, tmp_path)


def test_parameters_that_tensor_parallelism_dealt_out_are_refused(tmp_path: Path) -> None:
    """A stand-in: ``tests/model/test_mesh.py`` does it with four processes."""
    model = network()
    model[1].weight.placements = [Replicate()]  # type: ignore[union-attr]
    GradAscentHook(model, tmp_path / "whole").close()
    model[1].weight.placements = [Shard(0)]  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="must not be tensor-parallel"):
        GradAscentHook(model, tmp_path)
