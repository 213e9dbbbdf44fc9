"""The state of a training as values that compare bit for bit."""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor, nn

State = dict[str, object]


def untouched(model: nn.Module) -> State:
    """Everything that a call of the hook must leave as it is."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "model": contents(model),
        "written": {name: (t.data_ptr(), t._version) for name, t in tensors.items()},
        "modes": modes(),
        "random": random_states(),
    }


def contents(model: nn.Module) -> State:
    """All tensors, flags and attributes of a model, and the number of its hooks."""
    state: State = {}
    for name, module in model.named_modules():
        state[name] = {
            "training": module.training,
            "attributes": {
                key: flat(value) for key, value in vars(module).items() if not key.startswith("_")
            },
            "hooks": {key: len(v) for key, v in vars(module).items() if key.endswith("_hooks")},
            "buffers": flat(dict(module._buffers.items())),
            "parameters": {
                key: [flat(p), flat(p.grad), p.requires_grad, len(p._backward_hooks or ())]
                for key, p in module._parameters.items()
                if p is not None
            },
        }
    return state


def modes() -> State:
    """The global flags of torch that a pass could change."""
    return {
        "autocast": torch.is_autocast_enabled("cpu"),
        "autocast dtype": torch.get_autocast_dtype("cpu"),
        "autocast cache": torch.is_autocast_cache_enabled(),
        "gradients": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "anomalies": torch.is_anomaly_enabled(),
        "deterministic": torch.get_deterministic_debug_mode(),
        "cudnn": [
            getattr(torch.backends.cudnn, flag)
            for flag in ("enabled", "benchmark", "deterministic", "allow_tf32")
        ],
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "compiler": torch._dynamo.eval_frame._stance,
    }


def random_states() -> State:
    """The states of the global random generators."""
    return {
        "python": random.getstate(),
        "numpy": flat(np.random.get_state()),  # noqa: NPY002
        "torch": flat(torch.get_rng_state()),
    }


def flat(value: object) -> object:
    """Convert a value so that it compares bit for bit: NaN equals NaN, and 0 differs from -0."""
    if isinstance(value, Tensor):
        bits = value.detach().cpu().flatten().view(torch.uint8).numpy().tobytes()
        return str(value.dtype), tuple(value.shape), value.stride(), bits
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, torch.Generator | np.random.RandomState):
        return flat(value.get_state())
    if isinstance(value, np.random.Generator):
        return flat(value.bit_generator.state)
    if isinstance(value, random.Random):
        return flat(value.getstate())
    if isinstance(value, dict):
        return {str(key): flat(element) for key, element in value.items()}
    if isinstance(value, list | tuple):
        return [flat(element) for element in value]
    if isinstance(value, float):
        return value.hex()
    return value if isinstance(value, str | int | None) else type(value).__name__


def differences(expected: object, actual: object, path: str = "") -> list[str]:
    """Return the paths at which two nested states differ."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return [
            difference
            for key in expected.keys() | actual.keys()
            for difference in differences(expected.get(key), actual.get(key), f"{path}/{key}")
        ]
    return [] if expected == actual else [path]
