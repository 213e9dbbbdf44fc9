"""Audio classifiers of Transformers, built without weights, in trainings by its Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    ASTConfig,
    ASTForAudioClassification,
    Trainer,
    TrainingArguments,
    Wav2Vec2Config,
    Wav2Vec2ForSequenceClassification,
    WhisperConfig,
    WhisperForAudioClassification,
)

from tb_gradascent import ProbabilityMargin, read_samples
from tb_gradascent.transformers import GradAscentCallback

SMALL: Any = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 16,
    "id2label": {0: "bark", 1: "meow", 2: "moo"},
    "label2id": {"bark": 0, "meow": 1, "moo": 2},
}


def waveforms() -> tuple[Any, str, tuple[int, ...]]:
    convolutions: Any = {"conv_dim": (8, 8), "conv_stride": (4, 4), "conv_kernel": (8, 4)}
    config = Wav2Vec2Config(
        **SMALL,
        **convolutions,
        num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2,
        classifier_proj_size=8,
        apply_spec_augment=False,
    )
    return Wav2Vec2ForSequenceClassification(config), "input_values", (400,)


def spectrograms() -> tuple[Any, str, tuple[int, ...]]:
    config = ASTConfig(**SMALL, num_mel_bins=32, max_length=96)
    return ASTForAudioClassification(config), "input_values", (96, 32)


def mel_bands() -> tuple[Any, str, tuple[int, ...]]:
    sizes: Any = {"d_model": 16, "encoder_layers": 1, "encoder_attention_heads": 2}
    sizes |= {"encoder_ffn_dim": 16, "classifier_proj_size": 8, "max_source_positions": 50}
    names = {key: SMALL[key] for key in ("id2label", "label2id")}
    config = WhisperConfig(num_mel_bins=80, **sizes, **names)
    return WhisperForAudioClassification(config), "input_features", (80, 100)


@pytest.mark.slow
@pytest.mark.parametrize("make", [waveforms, spectrograms, mel_bands])
def test_an_audio_classifier_is_captured(tmp_path: Path, make: Any) -> None:
    torch.manual_seed(1)
    model, name, shape = make()
    data: Any = [{name: torch.randn(shape), "labels": torch.tensor(row % 3)} for row in range(16)]
    arguments = TrainingArguments(
        str(tmp_path), max_steps=2, use_cpu=True, report_to="none", learning_rate=0.0
    )
    callback = GradAscentCallback(
        tmp_path / "run", criterion=ProbabilityMargin(1), every=1, strict=True
    )
    trainer = Trainer(model, arguments, train_dataset=data, eval_dataset=data, callbacks=[callback])
    trainer.train()
    trainer.evaluate()
    samples = list(read_samples(tmp_path))
    assert {sample.tag for sample in samples} == {"confused", "validation"}
    assert {sample.class_names for sample in samples} == {("bark", "meow", "moo")}
    model.eval()
    for sample in samples:
        assert sample.image.shape == (1, *shape)
        (row,) = (r for r in range(16) if np.array_equal(data[r][name], sample.image[0]))
        assert sample.label == row % 3
        given = torch.from_numpy(sample.image).requires_grad_()
        logits = model(given).logits[0]
        chances = logits.softmax(0).detach()[list(sample.classes)]
        np.testing.assert_allclose(sample.probabilities, chances, atol=1e-5)
        for target in sample.targets:
            (gradient,) = torch.autograd.grad(logits[target.index], given, retain_graph=True)
            largest = gradient.abs().max().item()
            np.testing.assert_allclose(target.gradient, gradient.numpy(), atol=largest / 100)
