"""A network that answers at random, asked again, against all answers that it gave."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tb_gradascent.format.samples import CapturedSample
from tb_gradascent.functional.ascent import DEFAULT_ASCENTS, Ascent
from tb_gradascent.functional.capture import Recipe, capture
from tb_gradascent.functional.repetition import ANSWERS

IMAGES = torch.rand(3, 1, 6, 6, generator=torch.Generator().manual_seed(0))
BOUNDS = ((0.0,), (1.0,))
END = 8  # the position of the strength 1


class Noisy:
    """A linear network of four classes. Each pass adds noise to its logits.

    Attributes:
        answers: What it was asked and what it said, pass by pass.
    """

    def __init__(self, noise: float) -> None:
        generator = torch.Generator().manual_seed(1)
        self.answers: list[tuple[Tensor, Tensor]] = []
        self._weights = torch.randn(36, 4, generator=generator)
        self._noise = noise
        self._generator = torch.Generator().manual_seed(2)

    def __call__(self, x: Tensor) -> Tensor:
        noise = self._noise * torch.randn(1, 4, generator=self._generator)
        logits = x.flatten(1) @ self._weights + noise
        self.answers.append((x.detach().clone(), logits.detach()))
        return logits

    def about(self, image: Tensor) -> Tensor:
        """All its probabilities for one image, shape (answers, 4)."""
        found = [
            chances[row]
            for x, logits in self.answers
            for chances in [logits.softmax(1)]
            for row in range(len(x))
            if torch.equal(x[row], image)
        ]
        return torch.stack(found)


def recorded(network: Noisy, *, at_random: bool, **options: float) -> list[CapturedSample]:
    ascents = DEFAULT_ASCENTS if not options else {"smallest": Ascent.smallest(**options)}  # type: ignore[arg-type]  # two numbers
    recipe = Recipe(ascents=ascents, bounds=BOUNDS)
    return capture(network, IMAGES, recipe, step=0, at_random=at_random).samples()


def test_the_mean_and_the_spread_of_all_answers_are_recorded() -> None:
    network = Noisy(0.5)
    samples = recorded(network, at_random=True)
    stopped = []
    for sample in samples:
        answers = network.about(torch.tensor(sample.image))[:ANSWERS]
        mean = answers.mean(0).numpy()
        np.testing.assert_allclose(sample.probabilities, mean[sample.classes], rtol=1e-5)
        assert sample.classes[0] == mean.argmax()
        assert sample.spread == pytest.approx(bounds_of(answers, int(sample.classes[0])), rel=1e-5)
        for target in sample.targets:
            for morph in target.morphs.values():
                answers = network.about(torch.tensor(sample.image + morph.delta).clamp(0, 1))
                assert len(answers) == ANSWERS
                mean = answers.mean(0).numpy()
                assert morph.probabilities[END] == pytest.approx(mean[target.index], rel=1e-5)
                assert morph.predictions[END] == mean.argmax()
                assert morph.spread == pytest.approx(bounds_of(answers, target.index), rel=1e-5)
                if morph.stopped in {"confidence", "chance"}:
                    assert (morph.stopped == "confidence") == bool(mean[target.index] >= 0.95)
                    stopped.append(morph.stopped)
    assert {*stopped} == {"confidence", "chance"}, "the test must meet both"


def bounds_of(answers: Tensor, target: int) -> tuple[float, float]:
    return answers[:, target].min().item(), answers[:, target].max().item()


def test_a_network_that_answers_the_same_is_not_asked_again() -> None:
    passes = {}
    for at_random in (False, True):
        network = Noisy(0)
        samples = recorded(network, at_random=at_random, max_steps=3)
        passes[at_random] = len(network.answers)
        for sample in samples:
            morphs = [morph for target in sample.targets for morph in target.morphs.values()]
            for spread in (sample.spread, *(morph.spread for morph in morphs)):
                assert (spread is None) == (not at_random)
            assert {morph.stopped for morph in morphs} == {"confidence"}
    # The images, and the ends of the only ascent.
    assert passes[True] == passes[False] + 2 * (ANSWERS - 1)
