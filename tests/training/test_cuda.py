"""Training on a GPU, in mixed precision: bit for bit the same with the hook as without."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples
from testing import zoo
from testing.traces import State, contents, differences, flat, modes, random_states

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
STEPS = 20


def convolutional() -> nn.Sequential:
    """A network of layers whose backward passes on a GPU are repeatable."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(8 * 64, zoo.CLASSES),
    )


@pytest.fixture(autouse=True)
def repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)


def train(
    directory: Path | None, dtype: torch.dtype, layout: torch.memory_format, scaled: bool
) -> list[State]:
    """Run a seeded training with autocast, and return the state after each step."""
    torch.manual_seed(1)
    model = convolutional().cuda().to(memory_format=layout)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    scaler = torch.amp.GradScaler("cuda", enabled=scaled, growth_interval=5)
    hook = GradAscentHook(model, directory, every=1, strict=True) if directory else None
    states: list[State] = []
    for _ in range(STEPS):
        inputs = torch.randn(16, *zoo.SHAPE, device="cuda").to(memory_format=layout)
        labels = inputs.flatten(1)[:, : zoo.CLASSES].argmax(1)
        with torch.autocast("cuda", dtype):
            logits = model(inputs)
            loss = nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        if hook:
            hook(inputs, logits, labels)
        states.append(
            {
                "model": contents(model),
                "optimizer": flat(optimizer.state_dict()),
                "scaler": flat(scaler.state_dict()),
                "loss": flat(loss),
                "modes": modes(),
                "random": random_states(),
                "random on the device": flat(torch.cuda.get_rng_state()),
            }
        )
    if hook:
        hook.close()
    return states


@pytest.mark.parametrize(
    ("dtype", "layout", "scaled"),
    [
        (torch.float16, torch.contiguous_format, True),
        (torch.float16, torch.channels_last, True),
        (torch.bfloat16, torch.channels_last, False),
    ],
    ids=str,
)
def test_mixed_precision_is_bit_for_bit_the_same(
    tmp_path: Path, dtype: torch.dtype, layout: torch.memory_format, scaled: bool
) -> None:
    without = train(None, dtype, layout, scaled)
    again = train(None, dtype, layout, scaled)
    assert differences(dict(enumerate(without)), dict(enumerate(again))) == [], (
        "the training must be repeatable"
    )
    hooked = train(tmp_path, dtype, layout, scaled)
    for step, (expected, actual) in enumerate(zip(without, hooked, strict=True)):
        assert differences(expected, actual) == [], f"after step {step}"
    assert differences(hooked[0]["model"], hooked[-1]["model"]), "the weights must change"
    assert len({sample.step for sample in read_samples(tmp_path)}) > STEPS / 2


@pytest.mark.parametrize("place", ["on the GPU", "in pinned memory"])
def test_a_scan_waits_for_nothing_between_its_checks(tmp_path: Path, place: str) -> None:
    """Torch itself raises an error at a wait. The batches 1, 2, 4, 8 and 16 are checked."""
    images = torch.rand(24 * 16, *zoo.SHAPE)
    labels = torch.arange(len(images)) % zoo.CLASSES
    on_gpu = place == "on the GPU"
    pairs = [
        tuple(part.cuda() if on_gpu else part.pin_memory() for part in pair)
        for pair in zip(images.split(16), labels.split(16), strict=True)
    ]
    model = convolutional().cuda()

    def stream() -> Iterator[tuple[Tensor, ...]]:
        try:
            for number, pair in enumerate(pairs, 1):
                if number == 17:
                    torch.cuda.set_sync_debug_mode("error")
                yield pair
        finally:
            torch.cuda.set_sync_debug_mode("default")

    criterion = ProbabilityMargin(max_margin=1)
    with GradAscentHook(model, tmp_path, criterion=criterion, strict=True) as hook:
        assert hook.scan(stream(), top_k=10) == 10
    with torch.no_grad():
        chances = model.eval()(images.cuda()).softmax(1).topk(2).values
    order = (chances[:, 0] - chances[:, 1]).argsort(stable=True)[:10].tolist()
    assert [sample.id for sample in read_samples(tmp_path)] == list(map(str, order))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there are fewer than two CUDA devices")
def test_data_parallel_over_two_devices_is_captured(tmp_path: Path) -> None:
    model = nn.DataParallel(convolutional().cuda())
    inputs = torch.rand(8, *zoo.SHAPE, device="cuda")
    with GradAscentHook(model, tmp_path, strict=True) as hook:
        assert hook(inputs, torch.zeros(8, zoo.CLASSES, device="cuda")) == 4
