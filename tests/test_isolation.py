"""What is to be left as found, is."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tb_gradascent.isolation import isolated, unwrap
from tests.networks import convolutional


class Restless(nn.Module):
    """Writes a buffer and draws random numbers at every forward, even in eval mode."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))
        self.register_buffer("nothing", None)
        self.linear = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        assert isinstance(self.seen, Tensor)
        self.seen += 1
        noise = torch.rand(3) + np.random.rand() + random.random()  # noqa: NPY002, S311
        out: Tensor = self.linear(x) + noise
        return out


def random_states() -> tuple[object, ...]:
    return (
        random.getstate(),
        tuple(map(str, np.random.get_state())),  # noqa: NPY002
        tuple(torch.get_rng_state().tolist()),
    )


def test_buffers_and_random_states_are_as_before() -> None:
    model = Restless()
    buffer, before = model.seen, random_states()
    assert isinstance(buffer, Tensor)
    version = buffer._version
    with isolated(model):
        model(torch.ones(1, 4))
        assert isinstance(model.seen, Tensor)
        assert model.seen.item() == 1
    assert model.seen is buffer
    assert buffer.item() == 0
    assert buffer._version == version, "a pending backward pass may hold it"
    assert random_states() == before


def test_a_shared_buffer_stays_shared() -> None:
    first, second = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    second.running_mean = first.running_mean
    model = nn.Sequential(first, second)
    with isolated(model):
        assert first.running_mean is second.running_mean
    assert first.running_mean is second.running_mean


def test_each_module_keeps_its_own_mode_and_no_train_method_runs() -> None:
    class Frozen(nn.BatchNorm2d):
        def train(self, mode: bool = True) -> Frozen:
            raise AssertionError("isolation called train()")

    inner = convolutional()
    model = nn.Sequential(inner, Frozen(1))
    frozen = inner[1]
    frozen.training = False
    before = [module.training for module in model.modules()]
    with isolated(model):
        assert not any(module.training for module in model.modules())
    assert [module.training for module in model.modules()] == before
    assert not frozen.training


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_gradients_can_be_had_in_any_mode(mode: type) -> None:
    model = convolutional()
    with mode():
        x = torch.rand(2, 1, 28, 28)
        modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        with isolated(model):
            leaf = x.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(model(leaf).sum(), leaf)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == modes
    assert gradient.shape == x.shape


def test_autocast_is_off_inside_and_on_again_after() -> None:
    model = convolutional()
    with torch.autocast("cpu", torch.bfloat16):
        assert model(torch.rand(1, 1, 28, 28)).dtype == torch.bfloat16
        with isolated(model):
            assert model(torch.rand(1, 1, 28, 28)).dtype == torch.float32
        assert model(torch.rand(1, 1, 28, 28)).dtype == torch.bfloat16


def test_all_of_it_is_restored_after_an_error() -> None:
    model = Restless()
    buffer, before = model.seen, random_states()
    with pytest.raises(RuntimeError, match="on purpose"), isolated(model):
        model(torch.ones(1, 4))
        raise RuntimeError("on purpose")
    assert model.training
    assert model.linear.training
    assert model.seen is buffer
    assert random_states() == before


def test_wrappers_are_taken_off() -> None:
    model = convolutional()
    assert unwrap(model) is model
    assert unwrap(nn.DataParallel(model)) is model
    assert unwrap(torch.compile(model, backend="eager")) is model  # type: ignore[arg-type]
    assert unwrap(torch.compile(nn.DataParallel(model), backend="eager")) is model  # type: ignore[arg-type]
