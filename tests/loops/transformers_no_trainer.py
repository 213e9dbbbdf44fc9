"""Digits, in the style of Transformers' script of image classification with Accelerate alone."""

from __future__ import annotations

import argparse
import math
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.utils.data import DataLoader
from transformers import get_scheduler

from testing.networks import digits
from tests.loops.transformers_trainer import build, collate_fn


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--per_device_train_batch_size", type=int, default=8)
    parser.add_argument("--learning_rate", type=float, default=5e-3)
    parser.add_argument("--num_train_epochs", type=int, default=2)
    parser.add_argument("--gradient_accumulation_steps", type=int, default=1)
    parser.add_argument("--lora", action="store_true")
    args = parser.parse_args()

    accelerator = Accelerator(
        cpu=True, gradient_accumulation_steps=args.gradient_accumulation_steps
    )
    set_seed(0)
    dataloaders: list[Any] = []
    for part, size in (("train", 128), ("test", 64)):
        rows = zip(*(tensor[:size] for tensor in digits(part)), strict=True)
        data: Any = [{"pixel_values": image, "labels": label} for image, label in rows]
        dataloaders.append(
            DataLoader(data, args.per_device_train_batch_size, collate_fn=collate_fn)
        )
    train_dataloader, eval_dataloader = dataloaders
    model = build(args.lora)
    optimizer: Any = torch.optim.AdamW(model.parameters(), lr=args.learning_rate)
    steps = math.ceil(len(train_dataloader) / args.gradient_accumulation_steps)
    lr_scheduler = get_scheduler(
        "linear", optimizer, num_warmup_steps=0, num_training_steps=args.num_train_epochs * steps
    )
    model, optimizer, train_dataloader, eval_dataloader, lr_scheduler = accelerator.prepare(
        model, optimizer, train_dataloader, eval_dataloader, lr_scheduler
    )
    completed_steps = 0
    for epoch in range(args.num_train_epochs):
        model.train()
        for batch in train_dataloader:
            with accelerator.accumulate(model):
                outputs = model(**batch)
                accelerator.backward(outputs.loss)
                optimizer.step()
                lr_scheduler.step()
                optimizer.zero_grad()
            if accelerator.sync_gradients:
                completed_steps += 1
        model.eval()
        hits = 0
        for batch in eval_dataloader:
            with torch.no_grad():
                outputs = model(**batch)
            predictions, references = accelerator.gather_for_metrics(
                (outputs.logits.argmax(dim=-1), batch["labels"])
            )
            hits += int((predictions == references).sum())
        accelerator.print(f"epoch {epoch}: {hits} correct after {completed_steps} steps")
    torch.save(accelerator.unwrap_model(model).state_dict(), "model.pt")


if __name__ == "__main__":
    main()
