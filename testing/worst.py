"""Which samples of an evaluation are its worst, by torch alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor
from torch.nn import functional

from tb_gradascent import Sample


def assert_worst_of_evaluation(
    samples: Sequence[Sample], logits: Tensor, images: Tensor, labels: Tensor
) -> None:
    """Assert that the samples are the four most confused ones, and the four surest other errors.

    Args:
        samples: What was recorded of an evaluation with ``top_k=4``, with the row as the id.
        logits: The network's answers in eval mode, shape (N, C).
        images: What it was asked about, shape (N, …).
        labels: True classes, shape (N,).
    """
    first, second = logits.softmax(1).topk(2).values.unbind(1)
    margins, loss = first - second, functional.cross_entropy(logits, labels, reduction="none")
    confused = [row for row in margins.argsort().tolist() if margins[row] <= 0.5][:4]
    wrong = [row for row in (-loss).argsort().tolist() if logits[row].argmax() != labels[row]]
    expected = confused + [row for row in wrong if row not in confused][:4]
    assert [sample.id for sample in samples] == [str(row) for row in expected]
    for row, sample in zip(expected, samples, strict=True):
        assert np.array_equal(sample.image, images[row].numpy())
        assert sample.label == labels[row]
        chances = logits[row].softmax(0)[list(sample.classes)]
        np.testing.assert_allclose(sample.probabilities, chances, atol=1e-5)
