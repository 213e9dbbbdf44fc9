"""Which of a model's forward passes is the classifier's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tb_gradascent.model.forward_recorder import ForwardWatch, Pass


class Step(nn.Module):
    """A module of modules, whose training step calls them as a user pleases."""

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


def seen(step: Step, run: object) -> Pass | None:
    watch = ForwardWatch(step.modules())
    run()  # type: ignore[operator]
    found = watch.take()
    assert watch.take() is None
    watch.remove()
    assert not any(module._forward_hooks for module in step.modules())
    return found


def test_it_is_the_outermost_one_that_maps_images_to_logits() -> None:
    step, x, y = Step(), torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])

    def run() -> None:
        logits = step(x)
        step.criterion(logits, y)
        step.each(logits, y)
        step.softmax(logits)

    found = seen(step, run)
    assert found is not None
    assert found.module is step
    assert found.inputs is x
    assert torch.equal(found.logits, step(x))
    assert not found.logits.requires_grad


def test_features_are_no_logits() -> None:
    step, x = Step(), torch.rand(4, 1, 8, 8)
    assert seen(step, lambda: step.head(step.backbone(x))) is None
    alone = seen(step, lambda: step.backbone(x))
    assert alone is not None
    assert alone.module is step.backbone


def test_what_is_not_wanted_is_not_looked_at() -> None:
    step, x = Step(), torch.rand(4, 1, 8, 8)
    watch = ForwardWatch([step], lambda module: module.training)
    step.eval()
    step(x)
    assert watch.take() is None
    step.train()
    step(x)
    watch.remove()
    assert watch.take() is None


def test_what_the_model_is_given_beside_the_image() -> None:
    class Model(nn.Module):
        def forward(self, *args: object, **kwargs: object) -> Tensor:
            return torch.rand(2, 3)

    model, x, age, labels = Model(), torch.rand(2, 1, 8, 8), torch.rand(2), torch.tensor([1, 2])
    watch = ForwardWatch([model])

    def given(*args: object, **kwargs: object) -> tuple[object, ...]:
        model(*args, **kwargs)
        found = watch.take()
        assert found is not None
        call = found.for_hook()
        beside = call["additional_forward_args"]
        return beside.args, beside.kwargs, call["labels"]

    assert given(x) == ((), {}, None)
    assert given(x, age, 3) == ((age, 3), {}, None)
    assert given(pixel_values=x, labels=labels) == ((), {}, labels)
    assert given(x, labels=labels, age=age) == ((), {"age": age}, labels)
    assert given(age, x) == ((), {}, None), "an image that is not the first needs forward="
