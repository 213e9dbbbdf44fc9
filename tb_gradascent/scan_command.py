"""The command ``scan``: what a trained network confuses in a folder of pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

CRITERIA = ("margin", "entropy", "loss", "misclassified")


def add_command(commands: Commands) -> None:
    """Add the parser of the command."""
    parser = commands.add_parser(
        "scan",
        help="record what a trained network confuses in a folder of pictures",
        description="Find the pictures of a folder that confuse a trained network most, and record "
        "them for TensorBoard's tab Gradient Ascent.",
    )
    add = parser.add_argument
    add(
        "--model",
        required=True,
        metavar="SOURCE",
        help="module:function that makes the model, or timm:NAME, torchvision:NAME or hf:NAME",
    )
    add("--images", required=True, type=Path, metavar="FOLDER", help="the folder of pictures")
    add("--logdir", required=True, type=Path, metavar="FOLDER", help="the run's folder")
    add(
        "--weights",
        type=Path,
        metavar="FILE",
        help="a file of torch.save(model.state_dict()), a checkpoint that holds one, or a "
        ".safetensors file; a library's own weights by default",
    )
    add(
        "--class-names",
        type=Path,
        metavar="FILE",
        help="the name of class 0, 1, …: one in each line, or JSON; by default those of the "
        "library or of the folders",
    )
    add(
        "--transform",
        metavar="MODULE:NAME",
        help="a callable that maps a picture of Pillow to the model's input, for example a "
        "Compose of torchvision; by default the library's own",
    )
    add(
        "--size",
        type=_size,
        metavar="N or HxW",
        help="for module:function: pictures are scaled until they cover this size, then their "
        "centre is cropped; without it they stay as they are",
    )
    for name, example in (("--mean", "0.485,0.456,0.406"), ("--std", "0.229,0.224,0.225")):
        add(
            name,
            type=_numbers,
            metavar="NUMBERS",
            help=f"for module:function: that of your Normalize, such as {example}",
        )
    add(
        "--channels",
        type=int,
        choices=(1, 3),
        help="1 gives the model grey pictures, 3 coloured ones; by default as the model takes them",
    )
    add(
        "--criterion",
        choices=CRITERIA,
        default="margin",
        help="which pictures come first: the smallest difference of the two largest "
        "probabilities (margin), the largest entropy, the largest loss, or the most certain "
        "mistakes (misclassified)",
    )
    add("--top-k", type=_count, default=32, metavar="N", help="pictures to record (%(default)s)")
    add("--batch-size", type=_count, default=32, metavar="N", help="(%(default)s)")
    add("--device", help="such as cpu or cuda:1; a GPU by default if there is one")
    add("--tag", default="scan", help="the name of the samples in the tab (%(default)s)")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from tb_gradascent.scanning.scan import run  # imports torch, which other commands do not need

    return run(options)


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text}")
    return number


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(number) for number in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be one number, or numbers separated by commas, got {text!r}"
        ) from None


def _size(text: str) -> tuple[int, int]:
    height, x, width = text.partition("x")
    try:
        found = int(height), int(width if x else height)
    except ValueError:
        found = 0, 0
    if min(found) < 1:
        raise argparse.ArgumentTypeError(f"must be like 224 or 224x320, got {text!r}")
    return found
