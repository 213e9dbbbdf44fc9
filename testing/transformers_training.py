"""A small training by Transformers' Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import Trainer, TrainingArguments

from testing.networks import digits

BATCH, STEPS = 16, 8


def data(part: str = "train") -> list[dict[str, Any]]:
    images, labels = digits(part)
    rows = range(BATCH * STEPS)
    return [{"pixel_values": images[row], "labels": labels[row]} for row in rows]


def train(
    network: Any,
    folder: Path,
    callback: Any,
    *,
    resume: bool = False,
    kind: type[Trainer] = Trainer,
    **options: Any,
) -> Trainer:
    defaults: dict[str, Any] = {
        "per_device_train_batch_size": BATCH,
        "num_train_epochs": 1,
        "logging_steps": 2,
        "report_to": "tensorboard",
        "save_strategy": "no",
        "disable_tqdm": True,
        "use_cpu": True,
        "seed": 1,
    }
    trainer = kind(
        network,
        TrainingArguments(str(folder), **(defaults | options)),
        train_dataset=data(),
        eval_dataset=data("test")[:20],
        callbacks=[callback] if callback else [],
    )
    trainer.train(resume_from_checkpoint=resume)
    return trainer
