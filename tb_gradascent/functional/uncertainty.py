"""Measures of how certain a prediction is, from logits on the host."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Logits = npt.NDArray[np.floating[Any]]
Reals = npt.NDArray[np.float64]


def probabilities_of(logits: Logits) -> Reals:
    """The softmax of logits (C,), or of each row of logits (N, C), float64."""
    with np.errstate(all="ignore"):
        powers = np.exp(_shifted(logits))
        chances: Reals = powers / powers.sum(-1, keepdims=True)
    return chances


def entropy_of(probabilities: Reals) -> float:
    """Shannon's entropy −Σ p log₂ p in bits, of probabilities (C,); NaN if one of them is NaN."""
    with np.errstate(all="ignore"):
        terms = np.where(probabilities > 0, -probabilities * np.log2(probabilities), probabilities)
    return float(terms.sum())


def cross_entropy_of(logits: Logits, label: int | None) -> float | None:
    """−ln p of the label in nats, of logits (C,); ``None`` if the label is not a class index."""
    if label is None or not 0 <= label < len(logits):
        return None
    with np.errstate(all="ignore"):
        shifted = _shifted(logits)
        return float(np.log(np.exp(shifted).sum()) - shifted[label])


def _shifted(logits: Logits) -> Reals:
    """Subtract the largest logit of each row, so that no exponential overflows."""
    exact = logits.astype(np.float64)
    shifted: Reals = exact - exact.max(-1, keepdims=True)
    return shifted
