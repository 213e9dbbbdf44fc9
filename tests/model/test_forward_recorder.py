"""Which of a model's forward passes is recorded as the classifier's."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tb_gradascent.model.forward_recorder import ForwardRecorder, RecordedPass


class Step(nn.Module):
    """A module whose training step calls its submodules one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(1, 5, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(5, 3)
        self.softmax = nn.LogSoftmax(1)
        self.criterion = nn.CrossEntropyLoss()
        self.each = nn.CrossEntropyLoss(reduction="none")

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(x))
        return logits


def record(step: Step, run: Callable[[], object]) -> RecordedPass | None:
    recorder = ForwardRecorder(step.modules())
    run()
    found = recorder.take()
    assert recorder.take() is None
    recorder.remove()
    assert not any(module._forward_hooks for module in step.modules())
    return found


def test_the_outermost_module_that_maps_images_to_logits_is_recorded() -> None:
    step, x, y = Step(), torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])

    def run() -> None:
        logits = step(x)
        step.criterion(logits, y)
        step.each(logits, y)
        step.softmax(logits)

    found = record(step, run)
    assert found is not None
    assert found.module is step
    assert found.inputs is x
    assert torch.equal(found.logits, step(x))
    assert not found.logits.requires_grad


def test_features_are_not_taken_for_logits() -> None:
    step, x = Step(), torch.rand(4, 1, 8, 8)
    assert record(step, lambda: step.head(step.backbone(x))) is None
    alone = record(step, lambda: step.backbone(x))
    assert alone is not None
    assert alone.module is step.backbone


def test_a_pass_that_is_not_wanted_is_skipped() -> None:
    step, x = Step(), torch.rand(4, 1, 8, 8)
    recorder = ForwardRecorder([step], lambda module: module.training)
    step.eval()
    step(x)
    assert recorder.take() is None
    step.train()
    step(x)
    recorder.remove()
    assert recorder.take() is None


def test_the_models_other_arguments_are_recorded() -> None:
    class Model(nn.Module):
        def forward(self, *args: object, **kwargs: object) -> Tensor:
            return torch.rand(2, 3)

    model, x, age, labels = Model(), torch.rand(2, 1, 8, 8), torch.rand(2), torch.tensor([1, 2])
    recorder = ForwardRecorder([model])

    def given(*args: object, **kwargs: object) -> tuple[object, ...]:
        model(*args, **kwargs)
        found = recorder.take()
        assert found is not None
        call = found.hook_arguments()
        given_args = call["additional_forward_args"]
        return given_args.args, given_args.kwargs, call["labels"]

    assert given(x) == ((), {}, None)
    assert given(x, age, 3) == ((age, 3), {}, None)
    assert given(pixel_values=x, labels=labels) == ((), {}, labels)
    assert given(x, labels=labels, age=age) == ((), {"age": age}, labels)
    assert given(age, x) == ((), {}, None), "positional arguments before the image are not recorded"


def test_of_two_passes_the_one_of_the_batchs_images_is_taken() -> None:
    step, labelled, other = Step(), torch.rand(4, 1, 8, 8), torch.rand(4, 1, 8, 8)
    recorder = ForwardRecorder(step.modules())
    for first, second in ((labelled, other), (other, labelled)):
        step(first)
        step(second)
        found = recorder.take(labelled.clone())
        assert found is not None
        assert found.inputs is labelled
        assert found.is_certain
    step(labelled + 1)
    step(other)
    found = recorder.take(labelled)
    assert found is not None
    assert found.inputs is other
    assert not found.is_certain
    step(labelled + 1)
    found = recorder.take(labelled)
    assert found is not None
    assert found.is_certain, "the only pass"
