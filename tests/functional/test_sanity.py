"""Gradients and visible morphs depend on the weights of a network, not only on the image.

Adebayo et al. ("Sanity checks for saliency maps", arXiv:1810.03292) randomise the weights of a
network. If a map hardly changes, then it does not depend on the training.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.functional.ascend import ascend
from tb_gradascent.functional.ascent import Ascent
from tb_gradascent.functional.gradients import score_gradient
from testing.networks import MEAN, STD, convolutional, digits, trained

BOUNDS = torch.tensor((0 - MEAN) / STD), torch.tensor((1 - MEAN) / STD)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return trained().eval()


@pytest.fixture(scope="module")
def images() -> Tensor:
    return digits("test")[0][:24]


@pytest.fixture(scope="module")
def targets(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        second: Tensor = network(images).topk(2, 1).indices[:, 1]
    return second


def gradient(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    leaf = images.clone().requires_grad_()
    return score_gradient(model(leaf), leaf, targets, "logit")


def morph(model: nn.Module, images: Tensor, targets: Tensor) -> Tensor:
    """The change that the visible ascent makes."""
    return ascend(model, images, targets, Ascent.visible(), bounds=BOUNDS).inputs - images


def agreement(first: Tensor, second: Tensor) -> float:
    """Spearman's rank correlation of two maps of an image, the median of all images."""
    ranks = [maps.flatten(1).argsort(1).argsort(1).double() for maps in (first, second)]
    first, second = (rank - rank.mean(1, keepdim=True) for rank in ranks)
    return torch.cosine_similarity(first, second, dim=1).median().item()


def randomised_head() -> nn.Module:
    """The trained network with another last layer."""
    model = trained()
    assert isinstance(model, nn.Sequential)
    head = model[-1]
    assert isinstance(head, nn.Linear)
    torch.manual_seed(3)
    head.reset_parameters()
    return model


def randomised() -> nn.Module:
    return convolutional(seed=5)


@pytest.mark.parametrize("other", [randomised, randomised_head])
def test_gradient_and_visible_morph_change_when_weights_are_randomised(
    network: nn.Module, images: Tensor, targets: Tensor, other: Callable[[], nn.Module]
) -> None:
    models = (network, other().eval())
    gradients = [gradient(model, images, targets) for model in models]
    morphs = [morph(model, images, targets) for model in models]
    assert abs(agreement(*gradients)) < 0.1
    assert agreement(*morphs) < 0.4


def test_the_same_network_gives_the_same_maps_and_another_training_similar_morphs(
    network: nn.Module, images: Tensor, targets: Tensor
) -> None:
    """The controls: without them, maps that are noise would pass the test above."""
    for mapped in (gradient, morph):
        first, second = (mapped(network, images, targets) for _ in range(2))
        assert agreement(first, second) > 0.999
    mine, again, random = (
        morph(model.eval(), images, targets) for model in (network, trained(seed=1), randomised())
    )
    assert agreement(mine, again) > 1.5 * agreement(mine, random)
