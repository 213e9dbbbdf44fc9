"""Training with the hook is bit for bit the same as training without it, for many models."""

from __future__ import annotations

import contextlib
import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin, read_samples
from tb_gradascent.functional.criteria import AnyCriterion
from testing import zoo
from testing.traces import State, contents, differences, flat, modes, random_states, untouched

STEPS, BATCH = 10, 8
MARGIN = ProbabilityMargin(1)

Mode = Callable[[], contextlib.AbstractContextManager[object]]


@dataclasses.dataclass(frozen=True)
class Case:
    """A model and a way to train it.

    Attributes:
        model: Makes the model.
        dtype: The dtype of the model and its inputs.
        memory_format: The memory format of the model and its inputs.
        learned_inputs: Whether the inputs require a gradient.
        accumulate: Batches per step.
        autocast: Whether the forward pass, or the whole of the step, runs in bfloat16.
        scaler: Whether the loss is scaled.
        average: Whether an average of the weights is kept.
        when: The positions in a step at which the hook is called.
        around: A context manager around each call of the hook.
        within: A context manager around each step.
        watch: Registers forward hooks with the model. They can ask whether a capture runs.
        compiled: Whether the whole step is compiled, including the hook's call.
        criterion: The hook's criterion.
        asked: Whether the hook gets no logits and runs the model itself.
    """

    model: Callable[[], nn.Module]
    dtype: torch.dtype = torch.float32
    memory_format: torch.memory_format = torch.preserve_format
    learned_inputs: bool = False
    accumulate: int = 1
    autocast: Literal["no", "forward", "step"] = "no"
    scaler: bool = False
    average: bool = False
    when: tuple[Literal["before forward", "before backward", "after step"], ...] = ("after step",)
    around: Mode = contextlib.nullcontext
    within: Mode = contextlib.nullcontext
    watch: Callable[[nn.Module, Callable[[], bool]], None] = lambda model, capturing: None
    compiled: bool = False
    criterion: AnyCriterion = MARGIN
    asked: bool = False


def write_in_place(logits: Tensor, labels: Tensor | None) -> Tensor:
    """A criterion that writes to its arguments."""
    assert labels is not None
    logits /= 3
    labels.clamp_(max=1)
    return MARGIN(logits)


def count_own_passes(model: nn.Module, capturing: Callable[[], bool]) -> None:
    """Count the passes of the training, but not those of captures."""
    seen: list[str] = []
    model.seen = seen  # type: ignore[assignment]

    def forward(*_: object) -> None:
        if not capturing():
            seen.append("forward")

    def backward(*_: object) -> None:
        if not capturing():
            seen.append("backward")

    model.register_forward_hook(forward)
    list(model.children())[-1].register_full_backward_hook(backward)


def fail_now_and_then(model: nn.Module, capturing: Callable[[], bool]) -> None:
    """Raise in one of ten passes of captures."""
    chance = random.Random(2)  # noqa: S311

    def fail(*_: object) -> None:
        if capturing() and chance.random() < 0.1:
            raise RuntimeError("on purpose")

    model.register_forward_hook(fail)


CASES = {
    "dropout": Case(zoo.dropout),
    "batch norm": Case(zoo.batch_norm),
    "batch norm frozen": Case(zoo.frozen_batch_norm),
    "spectral norm": Case(zoo.spectral_norm),
    "spectral norm, the old one": Case(zoo.old_spectral_norm),
    "weight norm": Case(zoo.weight_norm),
    "buffers written in eval mode": Case(zoo.Counting),
    "attributes written in eval mode": Case(zoo.Attributes),
    "random numbers in eval mode": Case(zoo.Noisy),
    "LSTM": Case(zoo.Recurrent),
    "transformer": Case(zoo.Transformer),
    "channels last": Case(zoo.batch_norm, memory_format=torch.channels_last),
    "tied weights": Case(zoo.Tied),
    "checkpointed": Case(zoo.Checkpointed),
    "gradient accumulation": Case(zoo.batch_norm, accumulate=2),
    "autocast, called outside": Case(zoo.batch_norm, autocast="forward"),
    "autocast, called inside": Case(
        zoo.batch_norm, autocast="step", when=("before backward", "after step")
    ),
    "autocast in the model": Case(zoo.SelfAutocast),
    "autocast in the model and the loop": Case(
        zoo.SelfAutocast, autocast="step", accumulate=2, when=("before backward",)
    ),
    "scaler": Case(zoo.batch_norm, autocast="forward", scaler=True),
    "bfloat16": Case(zoo.batch_norm, dtype=torch.bfloat16),
    "float64": Case(zoo.batch_norm, dtype=torch.float64),
    "average of the weights": Case(zoo.batch_norm, average=True),
    "inputs that require gradients": Case(
        zoo.batch_norm, learned_inputs=True, when=("before backward", "after step")
    ),
    "called before backward": Case(zoo.batch_norm, when=("before backward",)),
    "called before backward, buffers written": Case(zoo.Counting, when=("before backward",)),
    "called twice a step": Case(zoo.dropout, when=("before backward", "after step")),
    "called in no_grad": Case(zoo.batch_norm, around=torch.no_grad),
    "called in inference_mode": Case(zoo.batch_norm, around=torch.inference_mode),
    "called with the model to be asked": Case(
        zoo.batch_norm, asked=True, when=("before forward", "after step")
    ),
    "inputs written in place": Case(
        zoo.InPlace, asked=True, when=("before forward", "before backward")
    ),
    "parametrizations cached": Case(
        zoo.spectral_norm,
        within=nn.utils.parametrize.cached,
        asked=True,
        when=("before forward", "before backward"),
    ),
    "a criterion that writes in place": Case(
        zoo.batch_norm, criterion=write_in_place, when=("before backward", "after step")
    ),
    "captures that fail": Case(zoo.Counting, watch=fail_now_and_then),
    "hooks of the user's own": Case(zoo.batch_norm, watch=count_own_passes),
    "compiled": Case(zoo.compiled),
    "compiled in part": Case(zoo.compiled_region),
    "compiled in place": Case(zoo.compiled_in_place),
    "compiled in part, in place": Case(zoo.compiled_region_in_place),
    "compiled step": Case(zoo.batch_norm, compiled=True),
    "compiled step, called before backward": Case(
        zoo.batch_norm, compiled=True, when=("before backward",)
    ),
    "scripted": Case(zoo.scripted),
    "traced": Case(zoo.traced),
}


#: The cases of the daily test run.
DAILY = {
    "dropout",
    "batch norm frozen",
    "buffers written in eval mode",
    "random numbers in eval mode",
    "autocast, called inside",
    "called before backward",
    "captures that fail",
}


# Torch warns about some of these models, with the hook and without.
@pytest.mark.filterwarnings(r"ignore:`torch\.jit\.\w+` is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")
@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[] if name in DAILY else pytest.mark.slow)
        for name, case in CASES.items()
    ],
)
def test_training_is_bit_for_bit_the_same(tmp_path: Path, case: Case) -> None:
    without, _ = train(case, None)
    hooked, captured = train(case, tmp_path)
    assert len(without) == len(hooked) == STEPS * case.accumulate
    for batch, (expected, actual) in enumerate(zip(without, hooked, strict=True)):
        assert differences(expected, actual) == [], f"after batch {batch}"
    first, last = hooked[0]["model"], hooked[-1]["model"]
    assert differences(first, last), "the weights must change"
    assert len(captured) == len(case.when) * len(hooked)
    if case.watch is fail_now_and_then:
        assert 0 < captured.count(0) < len(captured)
    else:
        assert min(captured) >= 2, "samples and a probe"
    assert len(list(read_samples(tmp_path))) == sum(captured) > 0


def train(case: Case, directory: Path | None) -> tuple[list[State], list[int]]:
    """Run a seeded training.

    Returns:
        The state after each batch, and the hook's result at each call.
    """
    torch.compiler.reset()
    dynamo_counters = torch._dynamo.utils.counters
    dynamo_counters.clear()
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    model = case.model().to(case.dtype)
    if case.memory_format is not torch.preserve_format:
        model = model.to(memory_format=case.memory_format)  # type: ignore[call-overload]
    probe = torch.rand(1, *zoo.SHAPE, dtype=case.dtype)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    scaler = torch.amp.GradScaler("cpu", enabled=case.scaler, growth_interval=5)
    average = torch.optim.swa_utils.AveragedModel(model) if case.average else None
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=case.autocast != "no")
    states: list[State] = []
    captured: list[int] = []
    with contextlib.ExitStack() as stack:
        hook = None
        if directory:
            hook = stack.enter_context(
                GradAscentHook(
                    model,
                    directory,
                    every=1,
                    top_k=1,
                    criterion=case.criterion,
                    ascent=Ascent(max_steps=2),
                    strict=case.watch is not fail_now_and_then,
                )
            )
            hook.probe(probe)
        case.watch(model, lambda: hook is not None and hook.capturing)

        def call(when: str, inputs: Tensor, logits: Tensor | None, labels: Tensor) -> None:
            if not (hook and when in case.when):
                return
            batch = inputs, None if case.asked else logits, labels
            if case.compiled:  # without the comparison, which would be compiled too
                captured.append(hook(*batch))
                return
            with case.around():
                before = untouched(model) | {"batch": flat(batch)}
                captured.append(hook(*batch, step=len(captured)))
                assert differences(before, untouched(model) | {"batch": flat(batch)}) == []

        def step(inputs: Tensor, labels: Tensor, update: bool) -> Tensor:
            with autocast if case.autocast == "step" else contextlib.nullcontext():
                with autocast if case.autocast == "forward" else contextlib.nullcontext():
                    call("before forward", inputs, None, labels)
                    logits = model(inputs)
                    loss = nn.functional.cross_entropy(logits, labels)
                call("before backward", inputs, logits, labels)
                scaler.scale(loss).backward()
                if update:
                    scaler.step(optimizer)
                    scaler.update()
                    if average:
                        average.update_parameters(model)
                call("after step", inputs, logits, labels)
            return loss

        if case.compiled:
            # Inductor would be slow, and needs a C++ compiler.
            step = torch.compile(step, backend="aot_eager")
        for number in range(STEPS * case.accumulate):
            # These random numbers depend on all random states.
            inputs = torch.randn(BATCH, *zoo.SHAPE) + random.gauss(0, 1) + np.random.rand()  # noqa: NPY002
            inputs = inputs.to(case.dtype, memory_format=case.memory_format)
            inputs.requires_grad_(case.learned_inputs)
            labels = inputs.detach().flatten(1)[:, : zoo.CLASSES].argmax(1)
            update = number % case.accumulate == case.accumulate - 1
            with case.within():
                loss = step(inputs, labels, update)
            states.append(
                {
                    "model": contents(model),
                    "average": contents(average) if average else None,
                    "optimizer": flat(optimizer.state_dict()),
                    "scaler": flat(scaler.state_dict()),
                    "loss": flat(loss),
                    "inputs": flat([inputs, inputs.grad]),
                    "modes": modes(),
                    "random": random_states(),
                    "compilations": flat(dynamo_counters["stats"]),
                }
            )
            if update:
                optimizer.zero_grad()
    return states, captured
