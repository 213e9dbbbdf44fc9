"""Digits, in the style of torchvision's reference training, with its options."""

from __future__ import annotations

import argparse
import collections
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from testing.networks import convolutional, digits


class MetricLogger:
    def __init__(self) -> None:
        self.meters: dict[str, list[float]] = collections.defaultdict(list)

    def update(self, **values: float) -> None:
        for name, value in values.items():
            self.meters[name].append(value)

    def log_every(self, iterable: Iterable[Any], print_freq: int, header: str) -> Iterator[Any]:
        for i, item in enumerate(iterable):
            yield item
            if i % print_freq == 0:
                means = {name: sum(v) / len(v) for name, v in self.meters.items()}
                print(header, i, " ".join(f"{name}: {v:.4f}" for name, v in means.items()))


def accuracy(output: Tensor, target: Tensor, topk: tuple[int, ...] = (1,)) -> list[float]:
    ranked = output.topk(max(topk), 1).indices
    hits = ranked == target[:, None]
    return [100 * hits[:, :k].any(1).float().mean().item() for k in topk]


def train_one_epoch(
    model: nn.Module,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    data_loader: DataLoader[Any],
    device: torch.device,
    epoch: int,
    args: Any,
    model_ema: Any = None,
    scaler: torch.amp.GradScaler | None = None,
) -> None:
    model.train()
    metric_logger = MetricLogger()
    header = f"Epoch: [{epoch}]"
    for i, (image, target) in enumerate(
        metric_logger.log_every(data_loader, args.print_freq, header)
    ):
        image, target = image.to(device), target.to(device)  # noqa: PLW2901
        with torch.amp.autocast(device.type, torch.bfloat16, enabled=scaler is not None):
            output = model(image)
            loss = criterion(output, target)

        optimizer.zero_grad()
        if scaler is not None:
            scaler.scale(loss).backward()
            if args.clip_grad_norm is not None:
                scaler.unscale_(optimizer)
                nn.utils.clip_grad_norm_(model.parameters(), args.clip_grad_norm)
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            if args.clip_grad_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), args.clip_grad_norm)
            optimizer.step()

        if model_ema and i % args.model_ema_steps == 0:
            model_ema.update_parameters(model)

        acc1, acc5 = accuracy(output, target, topk=(1, 5))
        metric_logger.update(loss=loss.item(), acc1=acc1, acc5=acc5)


def evaluate(
    model: nn.Module, criterion: nn.Module, data_loader: DataLoader[Any], device: torch.device
) -> None:
    model.eval()
    metric_logger = MetricLogger()
    with torch.inference_mode():
        for image, target in metric_logger.log_every(data_loader, 1, "Test:"):
            output = model(image.to(device))
            loss = criterion(output, target.to(device))
            (acc1,) = accuracy(output, target.to(device))
            metric_logger.update(loss=loss.item(), acc1=acc1)


def main(args: Any) -> None:
    device = torch.device(args.device)
    torch.manual_seed(args.seed)
    images, labels = digits()
    rows = slice(args.batch_size * args.batches)
    dataset = TensorDataset(images[rows], labels[rows])
    data_loader = DataLoader(dataset, args.batch_size, sampler=RandomSampler(dataset))
    images, labels = digits("test")
    data_loader_test = DataLoader(TensorDataset(images[:100], labels[:100]), 50)

    model = convolutional().to(device)
    criterion = nn.CrossEntropyLoss(label_smoothing=args.label_smoothing)
    optimizer = torch.optim.SGD(
        model.parameters(), lr=args.lr, momentum=0.9, weight_decay=1e-4, nesterov=True
    )
    scaler = torch.amp.GradScaler(args.device) if args.amp else None
    lr_scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=args.epochs)
    model_ema = None
    if args.model_ema:
        model_ema = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)

    for epoch in range(args.epochs):
        train_one_epoch(
            model, criterion, optimizer, data_loader, device, epoch, args, model_ema, scaler
        )
        lr_scheduler.step()
        evaluate(model, criterion, data_loader_test, device)
        checkpoint = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
        if model_ema:
            checkpoint["model_ema"] = model_ema.state_dict()
        torch.save(checkpoint, "model.pt")


def get_args_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="PyTorch Classification Training")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("-b", "--batch-size", default=32, type=int)
    parser.add_argument("--batches", default=12, type=int)
    parser.add_argument("--epochs", default=2, type=int)
    parser.add_argument("--lr", default=0.1, type=float)
    parser.add_argument("--label-smoothing", default=0.1, type=float)
    parser.add_argument("--clip-grad-norm", default=None, type=float)
    parser.add_argument("--print-freq", default=10, type=int)
    parser.add_argument("--seed", default=0, type=int)
    parser.add_argument("--amp", action="store_true")
    parser.add_argument("--model-ema", action="store_true")
    parser.add_argument("--model-ema-steps", default=4, type=int)
    return parser


if __name__ == "__main__":
    main(get_args_parser().parse_args())
