"""Each of many models is recorded as torch says it is, or the hook says why not. None is silent.

The oracle is plain torch: a copy of the model at the moment of the capture, in eval mode, asked
about one stored image at a time.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin, Sample, read_samples
from testing import architectures, transformers_zoo, zoo
from testing.painted import painted
from testing.zoo import CLASSES, SHAPE

ASCENTS = {"smallest": Ascent.smallest(), "visible": Ascent.visible(steps=2, finish_steps=2)}
STEPS, ROWS = 3, 10

Answer = tuple[Tensor, Tensor]
"""The probabilities (N, C), and what the gradient of each class differentiates (N, C)."""


def of_logits(z: Tensor) -> Answer:
    return z.exp() / z.exp().sum(1, keepdim=True), z


def of_log_probabilities(z: Tensor) -> Answer:
    return z.exp(), z


def of_probabilities(p: Tensor) -> Answer:
    return p, p.log()


def of_sigmoids(p: Tensor) -> Answer:
    """The classes exclude each other, so their odds are in proportion to their probabilities."""
    odds = p / (1 - p)
    return odds / odds.sum(1, keepdim=True), odds.log()


def of_one_sigmoid(p: Tensor) -> Answer:
    p = p.reshape(-1, 1)
    half = (p / (1 - p)).log() / 2
    return torch.cat((1 - p, p), 1), torch.cat((-half, half), 1)


def of_one_logit(z: Tensor) -> Answer:
    return of_one_sigmoid(1 / (1 + (-z).exp()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """A model, and what becomes of it.

    Attributes:
        make: Makes the model.
        notices: The codes of all notices that the hook gives.
        verdict: ``"right"`` if torch says the same as the samples. ``"noticed"`` if the notices say
            why it does not. ``"refused"`` if there are no samples.
        shape: Of an input.
        whole: Whether inputs are bytes.
        twice: Whether the oracle asks about a batch that holds the image twice. On the CPU, torch
            2.13's own gradient of a batch norm is wrong for one image of some memory layouts.
        call: How the loop calls the model.
        given: What of the model's output the loop gives to the hook.
        logits: The tensor that the loss reads, in the model's output.
        means: What this tensor means.
        options: Of the hook.
    """

    make: Callable[[], nn.Module]
    notices: tuple[str, ...] = ()
    verdict: Literal["right", "noticed", "refused"] = "right"
    shape: tuple[int, ...] = SHAPE
    whole: bool = False
    twice: bool = False
    call: Callable[[nn.Module, Tensor], Any] = lambda model, x: model(x.clone())
    given: Callable[[Any], Any] = lambda output: output
    logits: Callable[[Any], Tensor] = lambda output: output
    means: Callable[[Tensor], Answer] = of_logits
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def ask(self, model: nn.Module, inputs: Tensor) -> Answer:
        """Ask as the loop does."""
        return self.means(self.logits(self.call(model, inputs)))

    def batch(self, seed: int) -> tuple[Tensor, Tensor]:
        """Return inputs that a network can learn, and their labels."""
        generator = torch.Generator().manual_seed(99)
        patterns = torch.randn(CLASSES, *self.shape, generator=generator)
        generator.manual_seed(seed)
        labels = torch.randint(CLASSES, (ROWS,), generator=generator)
        images = patterns[labels] + torch.randn(ROWS, *self.shape, generator=generator)
        return (images * 40 + 127).clamp(0, 255).byte() if self.whole else images, labels


def one_of(place: Any) -> Callable[[Any], Tensor]:
    """Return a function that gives one tensor of a tuple, and a tensor as it is."""
    return lambda output: output if isinstance(output, Tensor) else output[place]


def several(form: str, place: Any, **more: Any) -> Case:
    """A model that returns several tensors. The loop gives the hook the logits."""
    find = one_of(place)
    return Case(
        make=functools.partial(architectures.Several, form), given=find, logits=find, **more
    )


def of_transformers(name: str, **more: Any) -> Case:
    return Case(
        make=functools.partial(transformers_zoo.build, name),
        shape=(3, 32, 32),
        logits=lambda output: output.logits,
        **more,
    )


def of_waves(name: str) -> Case:
    def call(model: nn.Module, x: Tensor) -> Any:
        return model(x[:, 0]).logits

    return Case(
        make=functools.partial(transformers_zoo.build, name),
        shape=(1, 400),
        call=call,
        options={"forward": call},
    )


def channels_last(model: nn.Module, x: Tensor) -> Any:
    return model(x.permute(0, 2, 3, 1))


RANDOM: dict[str, Any] = {"notices": ("random-answers",), "verdict": "noticed"}
FAILED: dict[str, Any] = {"notices": ("capture-failed-ValueError",), "verdict": "refused"}

CASES: dict[str, Case] = {
    # Layers that act otherwise in training mode.
    **{
        make.__name__: Case(make=make)
        for make in (
            zoo.plain,
            zoo.dropout,
            zoo.batch_norm,
            zoo.frozen_batch_norm,
            zoo.spectral_norm,
            zoo.weight_norm,
            zoo.scripted,
            zoo.InPlace,
            zoo.Recurrent,
            zoo.Transformer,
            zoo.Tied,
            zoo.SelfAutocast,
            zoo.Checkpointed,
            architectures.group_norm,
            architectures.layer_norm,
            architectures.instance_norm,
            architectures.residual,
            architectures.SqueezeExcite,
            architectures.ClassToken,
            architectures.Mixer,
            architectures.Dense,
            architectures.StochasticDepth,
            architectures.noisy_in_training,
            architectures.straight_through,
            architectures.standardised,
            architectures.permuted,
            architectures.fourier,
            architectures.ComplexLayer,
            architectures.Capsules,
            architectures.Cosine,
            architectures.Maxout,
            architectures.AttentionPooling,
            architectures.Mixture,
        )
    },
    "signals": Case(make=architectures.signals, shape=(2, 32)),
    "bytes": Case(make=architectures.bytes_inside, whole=True),
    # What the output holds.
    "softmax": Case(
        make=architectures.softmax, means=of_probabilities, notices=("softmax-output",)
    ),
    "sigmoid": Case(make=architectures.sigmoid, means=of_sigmoids, notices=("sigmoid-output",)),
    "log softmax": Case(make=architectures.log_softmax, means=of_log_probabilities),
    "one logit": Case(make=architectures.one_logit, means=of_one_logit),
    "one flat logit": Case(make=architectures.one_flat_logit, means=of_one_logit),
    "one sigmoid": Case(
        make=architectures.one_sigmoid, means=of_one_sigmoid, notices=("sigmoid-output",)
    ),
    # Where the logits are in the output.
    "auxiliary output": Case(make=architectures.Inception, given=one_of(0), logits=one_of(0)),
    "auxiliary output given whole": Case(make=architectures.Inception, logits=one_of(0)),
    "features, logits": several("features, logits", 1),
    "logits, probabilities": several("logits, probabilities", 0),
    "loss, logits": several("loss, logits", 1),
    "dictionary with logits": several("dictionary", "logits"),
    "dictionary without logits": several("two heads", "digit", **FAILED),
    "dictionary read by forward": several(
        "two heads", "digit", options={"forward": lambda model, x: model(x)["digit"]}
    ),
    "a map of logits": Case(
        make=architectures.segments, logits=lambda output: output.mean((2, 3)), **FAILED
    ),
    "channels last": Case(make=architectures.ChannelsLast, shape=(8, 8, 1), **FAILED),
    "channels last by forward": Case(
        make=architectures.ChannelsLast, call=channels_last, options={"forward": channels_last}
    ),
    # Rows that mix.
    "batch statistics": Case(make=architectures.batch_statistics, notices=("rows-mix",)),
    "batch statistics of vectors": Case(
        make=architectures.batch_statistics_of_vectors,
        notices=("one-row-fails",),
        verdict="noticed",
    ),
    "batch attention": Case(make=architectures.BatchAttention, notices=("rows-mix",)),
    "batch mean": Case(make=architectures.BatchMean, notices=("rows-mix", "no-gradient")),
    # Answers that change, although the weights do not.
    "noisy": Case(make=zoo.Noisy, **RANDOM),
    "always dropout": Case(make=architectures.always_dropout, **RANDOM),
    "traced": Case(make=zoo.traced, **RANDOM),
    "counting": Case(make=zoo.Counting, **RANDOM),
    "attributes": Case(make=zoo.Attributes, **RANDOM),
    "running mean": Case(make=architectures.RunningMean, **RANDOM),
    # Gradients that do not arrive.
    "frozen backbone": Case(make=architectures.FrozenBackbone, notices=("no-gradient",)),
    "rounded": Case(make=architectures.rounded, notices=("no-gradient",)),
    "detached": Case(make=architectures.without_graph, notices=("no-gradient",)),
    "without a backward pass": Case(
        make=architectures.no_backward,
        notices=("capture-failed-NotImplementedError",),
        verdict="refused",
    ),
    # Transformers.
    **{
        name: of_transformers(name, twice=name in {"Cvt", "Levit"})
        for name in transformers_zoo.IMAGES
    },
    **{name: of_waves(name) for name in transformers_zoo.WAVES},
}


def copied(model: nn.Module) -> nn.Module:
    """Return a copy. Torch does not copy a tensor that is part of a graph."""
    computed = [
        value
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and value.grad_fn is not None
    ]
    return copy.deepcopy(model, {id(tensor): tensor.detach().clone() for tensor in computed})


def assert_right(case: Case, model: nn.Module, sample: Sample) -> None:
    """Check a sample against the answers and gradients of a model as it was at the capture."""

    def said(inputs: Tensor) -> Answer:
        batch = inputs.repeat(2, 1, 1, 1) if case.twice else inputs
        return case.ask(model.eval(), batch)

    leaf = torch.from_numpy(sample.image.copy())[None].requires_grad_()
    probabilities, scores = said(leaf)
    expected = probabilities[0].detach().numpy()
    assert len(sample.classes) == len(expected)
    np.testing.assert_allclose(sample.probabilities, expected[sample.classes], atol=1e-4)
    for target in sample.targets:
        gradient = torch.zeros_like(leaf)
        if scores.requires_grad:
            (gradient,) = torch.autograd.grad(
                scores[0, target.index], leaf, retain_graph=True, materialize_grads=True
            )
        own, exact = torch.from_numpy(target.gradient).double(), gradient[0].double()
        assert (own * exact).sum() >= 0.999 * own.norm() * exact.norm()
        assert own.norm() == pytest.approx(exact.norm().item(), rel=0.01)
        assert bool(target.morphs) == (target.index != sample.classes[0])
        for morph in target.morphs.values():
            for place, strength in enumerate(morph.strengths):
                with torch.no_grad():
                    chances = said(painted(sample, float(strength), morph.delta))[0][0]
                for recorded, index in (
                    (morph.probabilities, target.index),
                    (morph.original_probabilities, int(sample.classes[0])),
                ):
                    assert recorded[place] == pytest.approx(chances[index].item(), abs=0.01)


def assert_right_or_said(case: Case, folder: Path) -> None:
    """Train a model for a few steps, and check the samples or the notices."""
    torch.manual_seed(0)
    model = case.make().train()
    optimizer = torch.optim.SGD(model.parameters(), 0.05)
    models: list[nn.Module] = []
    options = {"criterion": ProbabilityMargin(1.0), "ascent": ASCENTS, **case.options}
    with GradAscentHook(model, folder, every=1, top_k=2, **options) as hook:
        for step in range(STEPS):
            images, labels = case.batch(step)
            output = case.call(model, images)
            scores = case.means(case.logits(output))[1]
            labels = labels % scores.shape[1]
            optimizer.zero_grad()
            nn.functional.cross_entropy(scores, labels).backward()
            optimizer.step()
            models += [copied(model)] if case.verdict == "right" else []
            hook(images, case.given(output), labels)
    codes = {notice.code: f"{notice.message} {notice.remedy}" for notice in hook.health}
    samples = list(read_samples(folder))
    assert samples or codes, "silent"
    assert set(codes) == set(case.notices), codes
    assert len(samples) == (0 if case.verdict == "refused" else 2 * STEPS)
    assert codes or case.verdict == "right"
    if case.verdict == "right":
        assert any(target.morphs for sample in samples for target in sample.targets)
        for sample in samples:
            assert_right(case, models[sample.step], sample)


@pytest.mark.slow
@pytest.mark.filterwarnings(r"ignore:`torch\.jit\.\w+` is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.parametrize("name", CASES)
def test_each_model_is_right_or_said(tmp_path: Path, name: str) -> None:
    assert_right_or_said(CASES[name], tmp_path)


@pytest.mark.slow
@pytest.mark.torchvision
@pytest.mark.parametrize(
    "name", ["resnet18", "mobilenet_v3_small", "shufflenet_v2_x0_5", "densenet121", "googlenet"]
)
def test_each_model_of_torchvision_is_right_or_said(tmp_path: Path, name: str) -> None:
    models = pytest.importorskip("torchvision.models")
    more = {"init_weights": True} if name == "googlenet" else {}
    case = Case(
        make=functools.partial(models.get_model, name, weights=None, num_classes=CLASSES, **more),
        shape=(3, 32, 32),
        given=one_of(0),
        logits=one_of(0),
    )
    assert_right_or_said(case, tmp_path)
