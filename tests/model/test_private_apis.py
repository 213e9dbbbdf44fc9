"""The private names of torch and Python exist today. The package also works without them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from tb_gradascent.model import private_apis


class Doubled(nn.Module):
    """A parametrization that counts how often it is computed."""

    computed = 0

    def forward(self, weight: Tensor) -> Tensor:
        self.computed += 1
        return 2 * weight


def test_tensors_of_a_transform_are_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def look(x: Tensor) -> Tensor:
        seen.append(private_apis.is_transformed(x))
        return x

    torch.vmap(look)(torch.ones(2))
    assert seen == [True]
    assert not private_apis.is_transformed(torch.ones(2))
    monkeypatch.delattr(torch._C, "_functorch")
    assert not private_apis.is_transformed(torch.ones(2))


def test_cached_weights_are_computed_anew_and_brought_back(monkeypatch: pytest.MonkeyPatch) -> None:
    layer, doubled = nn.Linear(1, 1), Doubled()
    parametrize.register_parametrization(layer, "weight", doubled)
    with parametrize.cached():
        cached = layer.weight
        before = doubled.computed
        with private_apis.parametrizations_computed():
            assert layer.weight is not cached
        assert doubled.computed == before + 1
        assert layer.weight is cached
        monkeypatch.delattr(parametrize, "_cache_enabled")
        with private_apis.parametrizations_computed():
            pass
        monkeypatch.undo()


def test_a_module_whose_groups_cannot_be_found_is_refused() -> None:
    class Sharded(nn.Module):
        def _get_fsdp_state(self) -> Any:
            return object()

    with pytest.raises(RuntimeError, match=r"use a release from 2\.7 to 2\.14"):
        private_apis.stop_reducing_gradients(Sharded())


def test_python_can_call_before_its_executors_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    assert hasattr(threading, "_register_atexit")
    monkeypatch.delattr(threading, "_register_atexit")
    private_apis.call_before_executors_stop(lambda: None)
