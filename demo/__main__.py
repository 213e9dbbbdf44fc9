"""``python -m demo``: train two small classifiers with the hook, then open TensorBoard.

With ``--dataset photos`` nothing is trained: a pretrained network looks at photographs.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from demo import data, models, photos
from demo.serve import serve
from demo.train import Settings, train

RUNS = {
    "baseline": Settings(),
    "noise": Settings(noise=1.0),
}
"""Noise on the inputs makes a network use whole strokes. Compare the gradients of the two runs."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    add = parser.add_argument
    add("--no-serve", action="store_true", help="only train, and do not start TensorBoard")
    add(
        "--logdir",
        type=Path,
        default=Path("runs"),
        help="folder for the runs (runs); existing runs stay, and new ones get a number",
    )
    add("--port", type=int, help="TensorBoard's port (6006 or the next free one)")
    add("--epochs", type=int, default=Settings.epochs, help="passes over the data (%(default)s)")
    add("--seed", type=int, default=Settings.seed, help="seed of all random numbers (%(default)s)")
    add(
        "--dataset",
        choices=(*data.NAMES, "photos"),
        default="digits",
        help="photos needs the extra photos and trains nothing; "
        "the others, except digits, need torchvision",
    )
    add("--model", choices=models.NAMES, default="cnn", help="resnet18 needs torchvision")
    add("--data", type=Path, default=Path(".cache"), help="folder for downloaded data (.cache)")
    parsed = parser.parse_args(arguments)
    if parsed.epochs < 1:
        parser.error(f"--epochs must be at least 1, got {parsed.epochs}")
    return parsed


def fresh(logdir: Path, name: str) -> Path:
    """Return a folder for a new run: ``name``, or ``name-2`` and so on if it exists."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(path for path in map(logdir.joinpath, names) if not path.exists())


def train_runs(options: argparse.Namespace) -> None:
    """Train all runs."""
    examples = data.load(options.dataset, options.data)
    for name, settings in RUNS.items():
        run = fresh(options.logdir, name)
        train(
            examples,
            run,
            dataclasses.replace(
                settings, model=options.model, epochs=options.epochs, seed=options.seed
            ),
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Make the runs, then serve them."""
    options = parse(arguments)
    if options.dataset == "photos":
        photos.check_packages()
        photos.record(fresh(options.logdir, "photos"))
    else:
        train_runs(options)
    if options.no_serve:
        tensorboard = os.path.relpath(Path(sys.executable).with_name("tensorboard"))
        print(f"To see the runs:  {tensorboard} --logdir {options.logdir}")
    else:
        serve(options.logdir, options.port)


if __name__ == "__main__":
    main()
