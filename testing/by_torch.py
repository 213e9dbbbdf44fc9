"""What torch alone says about a recorded sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from tb_gradascent import Morph, Sample


def assert_as_by_torch(
    samples: Sequence[Sample], answer: Callable[[Tensor], Tensor], *, atol: float = 1e-4
) -> None:
    """Assert that probabilities, gradients and the morphs' verdicts are those of a network.

    Args:
        samples: As they were recorded in one capture, with the gradients of logits. They run as one
            batch, because rounding may decide between equal values of a max-pooling otherwise.
        answer: Maps inputs, shape (N, …), to logits, shape (N, C), with the weights of the capture.
        atol: How far a probability may be from torch's.
    """
    largest: list[float] = []
    images = torch.stack([torch.from_numpy(sample.image) for sample in samples]).requires_grad_()
    logits = answer(images)
    for row, sample in enumerate(samples):
        chances = logits[row].softmax(0).detach()
        np.testing.assert_allclose(sample.probabilities, chances[list(sample.classes)], atol=atol)
        assert sample.targets
        for target in sample.targets:
            score = logits[row, target.index]
            exact = torch.autograd.grad(score, images, retain_graph=True)[0][row]
            largest.append(exact.abs().max().item())
            np.testing.assert_allclose(target.gradient, exact.numpy(), atol=largest[-1] / 1000)
            for morph in target.morphs.values():
                verdicts = _verdicts(sample, morph, answer)[:, target.index]
                np.testing.assert_allclose(morph.probabilities, verdicts, atol=5 * atol)
    assert any(largest), "a gradient may vanish, but not all of them"


def _verdicts(sample: Sample, morph: Morph, answer: Callable[[Tensor], Tensor]) -> Tensor:
    """Return the probabilities at a morph's strengths, shape (A, C)."""
    delta = torch.from_numpy(morph.delta)
    strengths = torch.from_numpy(morph.strengths).view(-1, *[1] * delta.ndim)
    points = torch.from_numpy(sample.image) + strengths * delta
    if sample.bounds is not None:
        shape = -1, *[1] * (delta.ndim - 1)
        low, high = (torch.tensor(side).view(shape) for side in sample.bounds)
        points = points.maximum(low).minimum(high)
    with torch.no_grad():
        return answer(points).softmax(1)
