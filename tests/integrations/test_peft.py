"""The hook and the Trainer's callback with PEFT's wrappers of a vision transformer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples
from tb_gradascent.transformers import GradAscentCallback
from testing.by_torch import assert_as_by_torch
from testing.networks import digits, vision_transformer
from testing.traces import differences, flat, untouched
from testing.transformers_training import train

peft = pytest.importorskip("peft", reason="peft is not installed")

pytestmark = [
    pytest.mark.slow,
    # Transformers' own, and what PEFT asks Transformers.
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
    pytest.mark.filterwarnings("ignore:.* is deprecated and will be removed in v6:FutureWarning"),
]

LAYERS = {"target_modules": ["query", "value", "q_proj", "v_proj"]}
CONFIGS: dict[str, Any] = {
    "LoRA": lambda: peft.LoraConfig(r=2, init_lora_weights=False, **LAYERS),
    "DoRA": lambda: peft.LoraConfig(r=2, use_dora=True, init_lora_weights=False, **LAYERS),
    "LoRA with dropout": lambda: peft.LoraConfig(
        r=2, lora_dropout=0.3, init_lora_weights=False, modules_to_save=["classifier"], **LAYERS
    ),
    "LoHa": lambda: peft.LoHaConfig(r=2, init_weights=False, **LAYERS),
    "IA3": lambda: peft.IA3Config(feedforward_modules=[], init_ia3_weights=False, **LAYERS),
}


def adapted(kind: str) -> Any:
    network = vision_transformer()
    network.config.id2label = {number: f"digit {number}" for number in range(10)}
    torch.manual_seed(1)
    return peft.get_peft_model(network, CONFIGS[kind]())


@pytest.mark.parametrize("kind", CONFIGS)
def test_an_adapted_model_is_captured_without_a_trace(tmp_path: Path, kind: str) -> None:
    model = adapted(kind)
    images, labels = (tensor[:16] for tensor in digits())
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(parameters, 1e-2)
    options: Any = {"every": 1, "criterion": ProbabilityMargin(1), "strict": True}
    with GradAscentHook(model, tmp_path, **options) as hook:
        for _ in range(2):
            output = model(pixel_values=images, labels=labels)
            output.loss.backward()
            before = untouched(model)
            assert hook(images, output, labels) == 4
            assert differences(before, untouched(model)) == []
            optimizer.step()
            optimizer.zero_grad()
        output = model(images)
        assert hook(images, output, labels) == 4
    samples = [sample for sample in read_samples(tmp_path) if sample.step == 2]
    assert samples[0].class_names is not None
    assert samples[0].class_names[3] == "digit 3"
    for sample in samples:
        (row,) = (r for r in range(16) if np.array_equal(images[r], sample.image))
        assert sample.label == labels[row]
    model.eval()
    assert_as_by_torch(samples, lambda inputs: model(inputs).logits)
    with model.disable_adapter(), torch.no_grad():
        chances = model(images).logits.softmax(1)
    with torch.no_grad():
        assert (model(images).logits.softmax(1) - chances).abs().max() > 1e-3, "it is adapted"


def test_the_trainer_trains_an_adapted_model_the_same_with_the_callback(tmp_path: Path) -> None:
    with_it, without = adapted("LoRA"), adapted("LoRA")
    callback = GradAscentCallback(every=2, strict=True)
    options: Any = {"label_smoothing_factor": 0.1, "gradient_checkpointing": True}
    train(with_it, tmp_path / "with", callback, max_steps=4, eval_strategy="epoch", **options)
    train(without, tmp_path / "without", None, max_steps=4, eval_strategy="epoch", **options)
    assert differences(flat(without.state_dict()), flat(with_it.state_dict())) == []
    assert isinstance(with_it, nn.Module)
    samples = list(read_samples(tmp_path, tag="confused"))
    assert {sample.step for sample in samples} == {1, 2, 4}
    assert None not in {sample.label for sample in samples}
    with_it.eval()
    last = [sample for sample in samples if sample.step == 4]
    assert_as_by_torch(last, lambda inputs: with_it(inputs).logits)
    worst = list(read_samples(tmp_path, tag="validation"))
    assert_as_by_torch(worst, lambda inputs: with_it(inputs).logits)
