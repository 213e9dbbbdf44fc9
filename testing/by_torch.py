"""What torch alone says about a recorded sample."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from tb_gradascent import Sample


def assert_as_by_torch(
    sample: Sample, answer: Callable[[Tensor], Tensor], *, atol: float = 1e-4
) -> None:
    """Assert that probabilities, gradients and the morphs' verdicts are those of a network.

    Args:
        sample: As it was recorded, with the gradients of logits.
        answer: Maps inputs, shape (N, …), to logits, shape (N, C), with the weights of the capture.
        atol: How far a probability may be from torch's.
    """
    image = torch.from_numpy(sample.image)[None].requires_grad_()
    logits = answer(image)[0]
    chances = logits.softmax(0).detach()
    np.testing.assert_allclose(sample.probabilities, chances[list(sample.classes)], atol=atol)
    assert sample.targets
    for target in sample.targets:
        (exact,) = torch.autograd.grad(logits[target.index], image, retain_graph=True)
        largest = exact.abs().max().item()
        assert largest > 0
        np.testing.assert_allclose(target.gradient, exact[0].numpy(), atol=largest / 1000)
        for morph in target.morphs.values():
            delta = torch.from_numpy(morph.delta)
            strengths = torch.from_numpy(morph.strengths).view(-1, *[1] * delta.ndim)
            points = image.detach() + strengths * delta
            if sample.bounds is not None:
                low, high = (
                    torch.tensor(side).view(-1, *[1] * (delta.ndim - 1)) for side in sample.bounds
                )
                points = points.maximum(low).minimum(high)
            with torch.no_grad():
                verdicts = answer(points).softmax(1)[:, target.index]
            np.testing.assert_allclose(morph.probabilities, verdicts, atol=5 * atol)
