"""Small pictures, in the style of PyTorch's ImageNet example: meters, checkpoints, resuming."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Subset, TensorDataset

from testing.networks import convolutional, digits


class AverageMeter:
    """Keeps the average of a value."""

    def __init__(self) -> None:
        self.sum = self.count = 0.0

    def update(self, val: float, n: int = 1) -> None:
        self.sum += val * n
        self.count += n

    @property
    def avg(self) -> float:
        return self.sum / self.count


def accuracy(output: Tensor, target: Tensor, topk: tuple[int, ...] = (1,)) -> list[float]:
    with torch.no_grad():
        correct = output.topk(max(topk)).indices == target[:, None]
        return [100 * correct[:, :k].any(1).float().mean().item() for k in topk]


def train(
    train_loader: Any, model: nn.Module, criterion: nn.Module, optimizer: Any, epoch: int, args: Any
) -> None:
    losses, top1, top5 = AverageMeter(), AverageMeter(), AverageMeter()
    model.train()
    for i, (images, target) in enumerate(train_loader):
        output = model(images)
        loss = criterion(output, target)
        acc1, acc5 = accuracy(output, target, topk=(1, 5))
        losses.update(loss.item(), images.size(0))
        top1.update(acc1, images.size(0))
        top5.update(acc5, images.size(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if i % args.print_freq == 0:
            print(f"Epoch: [{epoch}][{i}] Loss {losses.avg:.4f} Acc@1 {top1.avg:.2f}")


def validate(val_loader: Any, model: nn.Module, criterion: nn.Module, args: Any) -> float:
    losses, top1 = AverageMeter(), AverageMeter()
    model.eval()
    with torch.no_grad():
        for images, target in val_loader:
            output = model(images)
            losses.update(criterion(output, target).item(), images.size(0))
            top1.update(accuracy(output, target)[0], images.size(0))
    print(f" * Acc@1 {top1.avg:.3f} Loss {losses.avg:.4f}")
    return top1.avg


def save_checkpoint(state: Any, is_best: bool, filename: str = "checkpoint.pth.tar") -> None:
    torch.save(state, filename)
    if is_best:
        shutil.copyfile(filename, "model_best.pth.tar")


def main() -> None:
    parser = argparse.ArgumentParser(description="PyTorch ImageNet Training")
    parser.add_argument("--epochs", default=2, type=int)
    parser.add_argument("-b", "--batch-size", default=16, type=int)
    parser.add_argument("--lr", default=0.05, type=float)
    parser.add_argument("-p", "--print-freq", default=4, type=int)
    parser.add_argument("--resume", default="", type=str)
    args = parser.parse_args()

    torch.manual_seed(0)
    model = nn.DataParallel(convolutional())
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), args.lr, momentum=0.9, weight_decay=1e-4)
    scheduler = StepLR(optimizer, step_size=30, gamma=0.1)
    start_epoch, best_acc1 = 0, 0.0
    if args.resume and Path(args.resume).is_file():
        checkpoint = torch.load(args.resume)
        start_epoch, best_acc1 = checkpoint["epoch"], checkpoint["best_acc1"]
        model.load_state_dict(checkpoint["state_dict"])
        optimizer.load_state_dict(checkpoint["optimizer"])
        scheduler.load_state_dict(checkpoint["scheduler"])
    dataset = TensorDataset(*digits())
    train_loader = DataLoader(Subset(dataset, range(128)), args.batch_size, shuffle=True)
    val_loader = DataLoader(Subset(dataset, range(256, 320)), args.batch_size)
    for epoch in range(start_epoch, args.epochs):
        train(train_loader, model, criterion, optimizer, epoch, args)
        acc1 = validate(val_loader, model, criterion, args)
        scheduler.step()
        is_best = acc1 > best_acc1
        best_acc1 = max(acc1, best_acc1)
        state = {"epoch": epoch + 1, "state_dict": model.state_dict(), "best_acc1": best_acc1}
        state |= {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
        save_checkpoint(state, is_best)
    torch.save(model.module.state_dict(), "model.pt")


if __name__ == "__main__":
    main()
