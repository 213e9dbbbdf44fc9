"""The checks of ``tests/model/test_fsdp.py``, which each rank of a ``fully_shard`` job runs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import DTensor
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.distributed import DistributedSampler

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin
from testing import zoo
from testing.networks import convolutional, digits
from testing.torchrun import run
from testing.traces import State, differences, flat, modes, random_states

STEPS = 8
SHORT = Ascent(max_steps=2)


def sharded(model: nn.Module) -> nn.Module:
    """Shard each layer with weights by itself, and then the rest."""
    for layer in model.children():
        if list(layer.parameters()):
            fully_shard(layer)
    fully_shard(model)
    return model


def local(value: object) -> object:
    """Return this rank's shard of every tensor."""
    if isinstance(value, DTensor):
        return value.to_local()
    if isinstance(value, dict):
        return {key: local(element) for key, element in value.items()}
    return value


def contents(model: nn.Module) -> State:
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "tensors": {name: flat(local(tensor)) for name, tensor in tensors.items()},
        "kinds": {name: type(tensor).__name__ for name, tensor in tensors.items()},
        "gradients": {name: flat(local(tensor.grad)) for name, tensor in tensors.items()},
        "training": [module.training for module in model.modules()],
    }


def train(
    call: Callable[[GradAscentHook, int, Tensor, Tensor, Tensor], object] | None,
    directory: Path,
    *,
    when: str = "after step",
    accumulate: int = 1,
    watch: Callable[[nn.Module, GradAscentHook], None] = lambda model, hook: None,
    **options: Any,
) -> list[State]:
    """Run a seeded training on this rank's own data, and return the state after each step."""
    torch.manual_seed(0)
    model = sharded(zoo.batch_norm())
    torch.manual_seed(dist.get_rank())
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    hook = GradAscentHook(model, directory, every=1, **options) if call else None
    if hook:
        watch(model, hook)
    states: list[State] = []
    for step in range(STEPS):
        inputs = torch.randn(8, *zoo.SHAPE)
        labels = inputs.flatten(1)[:, : zoo.CLASSES].argmax(1)
        last = step % accumulate == accumulate - 1
        model.set_requires_gradient_sync(last)  # type: ignore[operator]
        logits = model(inputs)
        loss = nn.functional.cross_entropy(logits, labels)
        if call and hook and when == "before backward":
            call(hook, step, inputs, logits, labels)
        loss.backward()
        if last:
            optimizer.step()
        if call and hook and when == "after step":
            call(hook, step, inputs, logits, labels)
        states.append(
            {
                "model": contents(model),
                "optimizer": flat(local(optimizer.state_dict()["state"])),
                "loss": flat(loss),
                "modes": modes(),
                "random": random_states(),
            }
        )
        if last:
            optimizer.zero_grad()
    if hook:
        hook.close()
    return states


def the_same(expected: Iterable[State], actual: Iterable[State]) -> None:
    for step, (one, other) in enumerate(zip(expected, actual, strict=True)):
        assert differences(one, other) == [], f"after step {step}"


def captured(hook: GradAscentHook, step: int, *batch: Tensor) -> None:
    assert hook(*batch) == 4


def training_is_bit_for_bit_the_same(directory: Path) -> None:
    options: dict[str, Any] = {"criterion": ProbabilityMargin(1), "strict": True, "ascent": SHORT}
    for accumulate in (1, 2):
        without = train(None, directory, accumulate=accumulate)
        assert differences(without[0]["model"], without[-1]["model"]), "the weights must change"
        for when in ("after step", "before backward"):
            log = directory / f"{when} {accumulate}"
            hooked = train(captured, log, when=when, accumulate=accumulate, **options)
            the_same(without, hooked)


def ranks_that_select_differently_stay_in_step(directory: Path) -> None:
    """Captures differ in size and length, are empty, or fail."""
    rank = dist.get_rank()

    def criterion(logits: Tensor, labels: Tensor | None) -> Tensor:
        if rank == 0 and len(logits) == 5:
            raise ArithmeticError("on purpose")
        nothing = rank == 0 and len(logits) != 6
        return torch.arange(len(logits)).float() - (torch.inf if nothing else 0)

    def call(hook: GradAscentHook, step: int, *batch: Tensor) -> None:
        rows = (8, 7, 6, 5, 1, 0, 8, 8)[step - rank]
        # On an invalid batch one rank fails, and the other rank does not wait.
        inputs = batch[0][:rows].long() if rank and step == 6 else batch[0][:rows]
        hook(inputs, batch[1][:rows].detach(), batch[2][:rows])

    without = train(None, directory)
    for number, ascent in enumerate(
        (Ascent(max_steps=4), None, Ascent(confidence=None, max_steps=2, step_size=1.0))
    ):
        log = directory / str(number)
        the_same(without, train(call, log, top_k=3, criterion=criterion, ascent=ascent))


def a_pass_that_fails_midway_leaves_no_trace(directory: Path) -> None:
    def watch(model: nn.Module, hook: GradAscentHook) -> None:
        passes = itertools.count()

        def fail(*_: object) -> None:
            if hook.capturing and next(passes) % 29 == 28:
                raise ArithmeticError("on purpose, and on every rank")

        model[place].register_forward_pre_hook(fail)  # type: ignore[index]

    def call(hook: GradAscentHook, step: int, *batch: Tensor) -> None:
        taken.append(hook(*batch))

    without = train(None, directory, accumulate=2)
    options: dict[str, Any] = {"criterion": ProbabilityMargin(1), "watch": watch, "ascent": SHORT}
    for when, place in itertools.product(("after step", "before backward"), (1, 3)):
        taken: list[int] = []
        log = directory / f"{when} {place}"
        the_same(without, train(call, log, when=when, accumulate=2, **options))
        assert 0 < taken.count(0) < len(taken)


def probes_of_one_rank_alone(directory: Path) -> None:
    model = sharded(zoo.batch_norm())
    with GradAscentHook(model, directory, every=2, targets="all", strict=True) as hook:
        if dist.get_rank():
            hook.probe(torch.rand(5, *zoo.SHAPE), ids=[f"own {n}" for n in range(5)])
        sure = torch.tensor([[9.0, 0, 0, 0]] * 4)
        for step in range(4):
            expected = 5 * dist.get_rank() * (step % 2 == 0)
            assert hook(torch.rand(4, *zoo.SHAPE), sure) == expected


def rank_zero_alone(directory: Path) -> None:
    model = sharded(zoo.batch_norm())
    batch = torch.rand(4, *zoo.SHAPE), torch.zeros(4, zoo.CLASSES)
    with GradAscentHook(model, directory, every=1, ranks="zero", strict=True) as hook:
        taken = [hook(*batch), hook(*batch), hook.scan([batch[0]], top_k=3)]
    assert taken == ([4, 4, 3] if dist.get_rank() == 0 else [0, 0, 0])


def a_hook_that_rests_or_is_closed_goes_on_joining(directory: Path) -> None:
    rank = dist.get_rank()

    def criterion(logits: Tensor, labels: Tensor | None) -> Tensor:
        return torch.zeros(len(logits)) if rank else logits[:1, 0]

    model = sharded(zoo.batch_norm())
    batch = torch.rand(4, *zoo.SHAPE), torch.zeros(4, zoo.CLASSES)
    with GradAscentHook(model, directory / "rests", every=1, criterion=criterion) as hook:
        assert [hook(*batch) for _ in range(14)] == [4 * rank] * 14
        # After ten failures in a row it rests for one capture, fails once more, and rests again.
        assert hook.stats.failed == (0 if rank else 11)
    hook = GradAscentHook(model, directory / "closed", every=1)
    if rank == 0:
        hook.close()
    assert [hook(*batch) for _ in range(3)] == [4 * rank] * 3
    hook.close()


def the_fuller_file_sets_the_pace_of_all(directory: Path) -> None:
    model = sharded(convolutional())
    rank = dist.get_rank()
    criterion = ProbabilityMargin(1.0 if rank else 0.0)
    images, _ = digits()
    due = []
    with GradAscentHook(
        model, directory, every=1, budget_mb=0.4, criterion=criterion, ascent=SHORT, strict=True
    ) as hook:
        logits = torch.randn(8, 10)
        for step in range(60):
            hook(images[:8], logits, step=step)
            hook._capturer.writer.flush()
            due.append(hook.stats.every)
        assert hook.stats.captured == 0 or rank == 1
    told: list[Any] = [None, None]
    dist.all_gather_object(told, due)
    assert told[0] == told[1]
    assert due[-1] >= 4


def it_captures_what_the_whole_model_would(directory: Path) -> None:
    images, labels = digits()
    rows = slice(16 * dist.get_rank(), 16 * dist.get_rank() + 16)
    for name, model in (("whole", convolutional()), ("sharded", sharded(convolutional()))):
        log = directory / name
        criterion = ProbabilityMargin(1)
        with GradAscentHook(model, log, criterion=criterion, mean=0.5, std=0.5, strict=True) as h:
            generator = torch.Generator().manual_seed(dist.get_rank())
            logits = torch.randn(16, 10, generator=generator)
            assert h(images[rows], logits, labels[rows], ids=range(rows.start, rows.stop)) == 4


def a_scan_finds_the_most_confused_of_the_whole(directory: Path) -> None:
    images, labels = digits("test")
    data = TensorDataset(images[:301], labels[:301])
    sampler: DistributedSampler[Any] = DistributedSampler(data, shuffle=False)
    model = sharded(convolutional())
    with GradAscentHook(model, directory, strict=True) as hook:
        captured = hook.scan(DataLoader(data, batch_size=50, sampler=sampler), top_k=20)
        assert captured == (20 if dist.get_rank() == 0 else 0)
        # A scan of one rank's batches only, and a scan that fails on one rank.
        part = [images[:10], images[10:20]] if dist.get_rank() else []
        hook.scan(part, top_k=4, tag="part")
        broken = [images[:10], images[:10].long()] if dist.get_rank() else [images[:10]] * 3
        with pytest.raises((RuntimeError, ValueError), match="inputs must be a floating point"):
            hook.scan(broken)


def attached_it_stays_in_step(directory: Path) -> None:
    torch.manual_seed(dist.get_rank())
    model = sharded(zoo.batch_norm())
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    with GradAscentHook(model, directory, every=2, strict=True) as hook:
        hook.attach(optimizer)
        for _ in range(4):
            model(torch.randn(6, *zoo.SHAPE)).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()


class Scaled(nn.Module):
    """A model that takes one factor per sample besides the images."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = zoo.batch_norm()

    def forward(self, images: Tensor, factors: Tensor) -> Tensor:
        logits: Tensor = self.inner(images) * factors[:, None]
        return logits


def what_the_model_is_given_beside_the_images(directory: Path) -> None:
    model = Scaled()
    fully_shard(model)
    with GradAscentHook(model, directory, every=1, strict=True) as hook:
        for step in range(2):
            confused = torch.zeros(4, zoo.CLASSES) + 9 * torch.eye(4) * (step != dist.get_rank())
            batch = torch.rand(4, *zoo.SHAPE), confused
            taken = hook(*batch, additional_forward_args=(torch.rand(4) + 1,))
            assert taken == 4 * (step == dist.get_rank())
        # The parts have different lengths, and only rank 0 records.
        part = [(torch.rand(4, *zoo.SHAPE), torch.rand(4) + 1) for _ in range(2 - dist.get_rank())]
        captured = hook.scan(
            part,
            unpack=lambda item: {"inputs": item[0], "additional_forward_args": item[1]},
            top_k=3,
        )
        assert captured == 3 * (dist.get_rank() == 0)


def other_dtypes(directory: Path) -> None:
    from torch.distributed.fsdp import MixedPrecisionPolicy

    model = zoo.batch_norm().bfloat16()
    fully_shard(model)
    mixed = zoo.dropout()
    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    fully_shard(mixed, mp_policy=policy)
    for each, dtype in ((model, torch.bfloat16), (mixed, torch.float32)):
        with GradAscentHook(each, directory / str(dtype), strict=True) as hook:
            logits = torch.zeros(4, zoo.CLASSES) + 9 * torch.eye(4) * dist.get_rank()
            taken = hook(torch.rand(4, *zoo.SHAPE, dtype=dtype), logits)
            assert taken == (0 if dist.get_rank() else 4)


def the_first_fsdp_is_refused_with_the_remedy(directory: Path) -> None:
    model = zoo.plain()
    late = GradAscentHook(model, directory / "late", strict=True)
    model[1] = FullyShardedDataParallel(model[1], device_id=torch.device("cpu"))
    with pytest.raises(ValueError, match=r"use torch\.distributed\.fsdp\.fully_shard \(FSDP2\)"):
        GradAscentHook(model, directory)
    with pytest.raises(ValueError, match="model must not be wrapped in FullyShardedDataParallel"):
        late(torch.rand(4, *zoo.SHAPE), torch.zeros(4, zoo.CLASSES))
    late.close()


CHECKS = (
    it_captures_what_the_whole_model_would,
    training_is_bit_for_bit_the_same,
    ranks_that_select_differently_stay_in_step,
    a_pass_that_fails_midway_leaves_no_trace,
    probes_of_one_rank_alone,
    rank_zero_alone,
    a_hook_that_rests_or_is_closed_goes_on_joining,
    the_fuller_file_sets_the_pace_of_all,
    a_scan_finds_the_most_confused_of_the_whole,
    attached_it_stays_in_step,
    what_the_model_is_given_beside_the_images,
    other_dtypes,
    the_first_fsdp_is_refused_with_the_remedy,
)

if __name__ == "__main__":
    run(CHECKS)
