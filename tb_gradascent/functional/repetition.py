"""What a network that answers at random says on average, and how far its answers lie apart."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import torch
from torch import Tensor

from tb_gradascent.functional.gradients import Forward
from tb_gradascent.functional.margins import at_least_float32

ANSWERS: Final = 8
"""How often such a network is asked about one input."""


class Repeated(NamedTuple):
    """Several answers about each row.

    Attributes:
        logits: Shape (N, C), at least float32. Their softmax is the mean of all probabilities.
        spread: Shape (N, 2, C): the lowest and the highest probability of each class.
    """

    logits: Tensor
    spread: Tensor


def ask_again(forward: Forward, inputs: Tensor, logits: Tensor) -> Repeated:
    """Ask the network about each row until there are ``ANSWERS`` answers.

    Each answer has a pass of its own, because a network may draw one number for a whole pass.

    Args:
        forward: Maps inputs (N, …) to logits (N, C).
        inputs: Shape (N, …).
        logits: The first answer, shape (N, C).
    """
    with torch.no_grad():
        answers = [logits.detach(), *(forward(inputs) for _ in range(ANSWERS - 1))]
        chances = torch.stack([at_least_float32(answer).log_softmax(1) for answer in answers])
        spread = torch.stack((chances.amin(0), chances.amax(0)), 1).exp()
        return Repeated(chances.logsumexp(0) - math.log(ANSWERS), spread)
