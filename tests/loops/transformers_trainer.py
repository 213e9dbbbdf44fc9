"""Digits, in the style of Transformers' script of image classification with its Trainer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import HfArgumentParser, Trainer, TrainingArguments, set_seed

from testing.networks import digits, vision_transformer


@dataclass
class ModelArguments:
    lora: bool = field(default=False, metadata={"help": "Train small added weights alone."})


def collate_fn(examples: list[Any]) -> dict[str, Any]:
    return {
        name: torch.stack([example[name] for example in examples])
        for name in ("pixel_values", "labels")
    }


def compute_metrics(p: Any) -> dict[str, float]:
    return {"accuracy": float((p.predictions.argmax(1) == p.label_ids).mean())}


def build(lora: bool) -> Any:
    model = vision_transformer()
    if not lora:
        return model
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=4,
        lora_alpha=8,
        target_modules=["query", "value", "q_proj", "v_proj"],
        init_lora_weights=False,
        modules_to_save=["classifier"],
    )
    return get_peft_model(model, config)


def main() -> None:
    parser = HfArgumentParser((ModelArguments, TrainingArguments))  # type: ignore[arg-type]
    model_args, training_args = parser.parse_args_into_dataclasses()
    set_seed(training_args.seed)
    dataset = {}
    for part, size in (("train", 128), ("test", 64)):
        rows = zip(*(tensor[:size] for tensor in digits(part)), strict=True)
        dataset[part] = [{"pixel_values": image, "labels": label} for image, label in rows]
    model = build(model_args.lora)
    callbacks: list[Any] = []
    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=dataset["train"],
        eval_dataset=dataset["test"],
        compute_metrics=compute_metrics,
        data_collator=collate_fn,
        callbacks=callbacks,
    )
    trainer.train()
    trainer.log_metrics("eval", trainer.evaluate())
    torch.save(model.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
