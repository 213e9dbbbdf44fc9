"""A network that is never very sure: its morphs end where it is as sure as it gets."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin, read_samples


class Unsure(nn.Module):
    """Its logits lie between -1 and 1: no class of three is ever more probable than 0.79."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layer(4 * x.flatten(1))
        return logits.tanh()


def test_a_morph_that_is_as_sure_as_the_network_gets_says_so(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Unsure()
    images = torch.randn(64, 1, 4, 4)
    logits = model(images)
    surest = logits.softmax(1).amax(1).quantile(0.9).item()
    assert surest < 0.8, "below the confidence of the ascents"
    with GradAscentHook(
        model,
        tmp_path,
        criterion=ProbabilityMargin(1.0),
        ascent=Ascent.smallest(max_steps=20),
        bounds=(-9, 9),
        strict=True,
    ) as hook:
        hook(images, logits)
    morphs = [
        morph for s in read_samples(tmp_path) for t in s.targets for morph in t.morphs.values()
    ]
    ends = {morph.stopped: morph.probabilities[8] for morph in morphs}
    assert "confidence" not in ends
    assert "surest" in ends
    for morph in morphs:
        assert (morph.stopped == "surest") == (morph.probabilities[8] >= surest)
