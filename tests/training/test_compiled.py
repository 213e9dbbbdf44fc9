"""Steps that ``torch.compile`` compiles in its other modes, and CUDA graphs."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples
from testing import zoo
from testing.by_torch import assert_as_by_torch

STEPS = 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Inductor's own
@pytest.mark.skipif(shutil.which("c++") is None, reason="Inductor needs a C++ compiler")
@pytest.mark.parametrize("called", [False, True], ids=["model", "step with the hook"])
@pytest.mark.parametrize("mode", ["reduce-overhead", "max-autotune"])
def test_compiled_in_other_modes_it_trains_the_same_and_records_what_torch_says(
    tmp_path: Path, mode: str, called: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(STEPS, 8, *zoo.SHAPE, generator=generator)
    labels = torch.arange(8) % zoo.CLASSES

    def train(folder: Path | None) -> nn.Module:
        torch.compiler.reset()
        torch.manual_seed(1)
        model = zoo.batch_norm()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        compiled = model if called else torch.compile(model, mode=mode)
        options = {"criterion": ProbabilityMargin(1), "every": 3, "strict": True}
        hook = GradAscentHook(compiled, folder, **options) if folder else None  # type: ignore[arg-type]

        def step(inputs: Tensor) -> None:
            logits = compiled(inputs)
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, labels).backward()
            optimizer.step()
            if hook:
                hook(inputs, logits, labels)

        take = torch.compile(step, mode=mode) if called else step
        for inputs in images:
            take(inputs)
        if hook:
            hook.close()
        return model

    hooked, plain = train(tmp_path), train(None)
    for name, value in plain.state_dict().items():
        assert torch.equal(value, hooked.state_dict()[name]), name
    samples = list(read_samples(tmp_path))
    assert {sample.step for sample in samples} == {0, 3}
    last = [sample for sample in samples if sample.step == 3]
    assert len(last) == 4
    for sample in last:
        rows = [row for row in range(8) if np.array_equal(images[3, row], sample.image)]
        assert sample.label in labels[rows].tolist()
    assert_as_by_torch(last, hooked.eval())


def test_nothing_is_captured_inside_a_cuda_graph(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = zoo.plain()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    inputs = torch.rand(4, *zoo.SHAPE)
    passes: list[object] = []
    hook = GradAscentHook(model, tmp_path, every=1, criterion=ProbabilityMargin(1))
    attached = hook.attach(optimizer)
    model.register_forward_hook(lambda *_: passes.append(None))

    def step() -> int:
        logits = model(inputs)
        logits.square().mean().backward()
        optimizer.step()
        return hook(inputs, logits)

    with monkeypatch.context() as capture, caplog.at_level(logging.WARNING, "tb_gradascent"):
        capture.setattr(torch.cuda, "is_initialized", lambda: True)
        capture.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
        assert not hook.is_due()
        assert [step(), step()] == [0, 0]
        with hook.evaluation(step=0), torch.no_grad():
            model(inputs)
    assert len(passes) == 3, "the loop's own"
    messages = [record.getMessage() for record in caplog.records]
    assert sum("after graph.replay()" in message for message in messages) == 1, messages
    attached.remove()
    assert step() == 4
    hook.close()
