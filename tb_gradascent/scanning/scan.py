"""Scan a folder of pictures: what ``python -m tb_gradascent scan`` does."""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import logging
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from tb_gradascent.functional.criteria import (
    AnyCriterion,
    Entropy,
    Loss,
    Misclassified,
    ProbabilityMargin,
)
from tb_gradascent.hook import GradAscentHook
from tb_gradascent.model.output_reader import OutputReader
from tb_gradascent.reader import read_samples
from tb_gradascent.scanning.errors import CommandError
from tb_gradascent.scanning.networks import (
    Network,
    ScaleAndCrop,
    import_object,
    load_network,
    measure_scale,
)
from tb_gradascent.scanning.picture_folder import (
    Labels,
    Picture,
    PictureBatches,
    Preprocess,
    find_pictures,
    label_folders,
    read_picture,
)

CRITERIA: Final[dict[str, AnyCriterion]] = {
    "margin": ProbabilityMargin(max_margin=1),
    "entropy": Entropy(min_entropy=0),
    "loss": Loss(),
    "misclassified": Misclassified(),
}
NEED_LABELS: Final = ("loss", "misclassified")

MEASURED_SIZE: Final = (640, 640)
"""Width and height of the pictures that measure a preprocessing: larger than most crops."""

INTERRUPTED: Final = 130
"""The exit status after Ctrl-C, as shells give it."""

_MANY_WRONG: Final = 8
"""If so many pictures are recorded and all are wrong, the labels are doubted."""

_NAMED: Final = 10
"""Unreadable files that are named at most."""


def run(options: argparse.Namespace) -> int:
    """Scan, tell what went wrong, and return the exit status: 0, 1, 2 or ``INTERRUPTED``."""
    logging.basicConfig(format="%(message)s")
    try:
        with _interrupt_announced():
            return scan(options)
    except CommandError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted. Nothing is recorded.", file=sys.stderr)
        return INTERRUPTED


def scan(options: argparse.Namespace) -> int:
    """Scan, and return the exit status.

    Raises:
        CommandError: The user can mend the cause.
        KeyboardInterrupt: Ctrl-C before the scan began, or for the second time.
    """
    if importlib.util.find_spec("PIL") is None:
        raise CommandError("scan reads pictures with Pillow; run: pip install pillow")
    if options.transform and (options.size or options.mean or options.std):
        raise CommandError("--size, --mean and --std must be left out with --transform")
    pictures = find_pictures(options.images)
    network = load_network(options.model, options.weights)
    preprocess = _preprocess(options, network)
    channels = options.channels or network.channels
    names = _read_class_names(options.class_names) if options.class_names else network.class_names
    device = _device(options.device)
    network.model.to(device)

    first, unreadable = _first_input(pictures, preprocess, channels)
    if first is None:
        _tell_unreadable(unreadable)
        print(f"None of {len(pictures)} pictures can be read.", file=sys.stderr)
        return 1
    classes = _number_of_classes(network.model, first.to(device), names)
    if options.class_names and names and classes not in (None, len(names)):
        raise CommandError(
            f"--class-names must name each of the {classes} classes, got {len(names)} names"
        )
    folders = [picture.folder for picture in pictures if picture.folder is not None]
    labels = label_folders(folders, classes, names, network.class_codes)
    if options.criterion in NEED_LABELS and not labels.of_folder:
        raise CommandError(
            f"--criterion {options.criterion} needs labels, got {labels.explanation}: give "
            "margin or entropy"
        )
    print(
        f"{len(pictures)} pictures, {classes or 'unknown'} classes, on {device}; "
        f"{labels.explanation}.",
        file=sys.stderr,
    )
    batches = PictureBatches(
        pictures,
        preprocess,
        labels.of_folder,
        channels,
        options.batch_size,
        on_end=lambda read: tqdm.write(
            f"Recording the most confused of {read} pictures …", file=sys.stderr
        ),
    )
    return _record(options, network, preprocess, channels, labels, batches)


def _record(
    options: argparse.Namespace,
    network: Network,
    preprocess: Preprocess,
    channels: int,
    labels: Labels,
    batches: PictureBatches,
) -> int:
    """Scan the batches with a hook, tell the result, and return the exit status."""
    scale = measure_scale(preprocess, MEASURED_SIZE, channels)
    if scale is None:
        print(
            "The preprocessing does more to a pixel than to scale it, so the tab shows pictures "
            "without their true brightness.",
            file=sys.stderr,
        )
    if options.logdir.is_file():
        raise CommandError(
            f"--logdir must be a folder that can be written, got the file {str(options.logdir)!r}"
        )
    try:
        hook = GradAscentHook(
            network.model,
            options.logdir,
            criterion=CRITERIA[options.criterion],
            class_names=labels.class_names,
            mean=scale.mean if scale else None,
            std=scale.std if scale else None,
            bounds=(scale.black, scale.white) if scale else None,
            tag=options.tag,
            strict=True,
        )
    except OSError as error:
        raise CommandError(
            f"--logdir must be a folder that can be written, got {str(options.logdir)!r}: {error}"
        ) from error
    except ValueError as error:
        raise CommandError(str(error)) from error
    interrupted = False
    fault: Exception | None = None
    with hook:
        try:
            hook.scan(
                batches,
                unpack=lambda item: item,
                top_k=options.top_k,
                tag=options.tag,
            )
        except KeyboardInterrupt:
            interrupted = True
        except Exception as error:
            fault = error
    _tell_unreadable(batches.unreadable)
    if fault is not None and not isinstance(fault, CommandError):
        traceback.print_exception(fault)
    if fault is not None:
        print(f"error: the scan stopped: {fault}", file=sys.stderr)
    if interrupted:
        print("The scan was interrupted.", file=sys.stderr)
    count, lost = hook.stats.written, hook.stats.dropped
    if lost:
        print(f"error: {lost} samples could not be written to {options.logdir}", file=sys.stderr)
    print(f"{batches.read} pictures were looked at, and {count} of them are recorded.")
    if count and options.criterion not in NEED_LABELS:
        _doubt_labels(options.logdir, options.tag)
    if count:
        print(f"To see them:  tensorboard --logdir {options.logdir}")
    return 1 if fault or lost else INTERRUPTED if interrupted else 0


def _doubt_labels(logdir: Path, tag: str) -> None:
    """Say so if every answer is wrong, because then the classes may be in another order."""
    recorded = read_samples(logdir, run=".", tag=tag)
    labelled = [sample for sample in recorded if sample.label is not None]
    wrong = sum(int(sample.classes[0]) != sample.label for sample in labelled)
    if wrong == len(labelled) >= _MANY_WRONG:
        print(
            f"All {wrong} recorded pictures with a label are wrong. If the network has its classes "
            "in another order, give --class-names.",
            file=sys.stderr,
        )


@contextlib.contextmanager
def _interrupt_announced() -> Iterator[None]:
    """Let the first Ctrl-C say what follows. The second one ends the recording, too."""

    def announce(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        print(
            "\nInterrupted: what was found so far is recorded. Ctrl-C again stops at once.",
            file=sys.stderr,
        )
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:
        signal.signal(signal.SIGINT, announce)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _preprocess(options: argparse.Namespace, network: Network) -> Preprocess:
    """The preprocessing that the options ask for, or the library's own.

    Raises:
        CommandError: The options contradict each other.
    """
    if options.transform:
        made: Any = import_object(options.transform, "--transform")
        if isinstance(made, type) or not callable(made):
            raise CommandError(
                "--transform must name a callable that maps a picture to a tensor, got "
                f"{options.transform}: name an instance"
            )
        return made  # type: ignore[no-any-return]
    if network.preprocess is not None:
        if options.size or options.mean or options.std:
            raise CommandError(
                "--size, --mean and --std must be left out if the library knows them, got them "
                f"with --model {options.model}"
            )
        return network.preprocess
    if bool(options.mean) != bool(options.std):
        raise CommandError("--mean and --std must be given together, got one of them")
    if not options.mean:
        print(
            "Without --mean and --std the model gets pixels from 0 to 1.",
            file=sys.stderr,
        )
    return ScaleAndCrop(options.size, options.mean or (0.0,), options.std or (1.0,))


def _first_input(
    pictures: Sequence[Picture], preprocess: Preprocess, channels: int
) -> tuple[Tensor | None, dict[str, str]]:
    """Return the input for the first readable picture, and why those before it are unreadable."""
    unreadable: dict[str, str] = {}
    for picture in pictures:
        result = read_picture(picture, channels, preprocess)
        if isinstance(result, Tensor):
            return result, unreadable
        unreadable[picture.id] = result
    return None, unreadable


def _number_of_classes(model: nn.Module, first: Tensor, names: Sequence[str] | None) -> int | None:
    """Ask the model about one picture, and return its number of classes.

    Raises:
        CommandError: The model fails, or does not answer with logits.
    """
    inputs = first[None]
    if not inputs.is_floating_point():
        inputs = inputs.float()
    reader = OutputReader(None if names is None else len(names))
    try:
        with torch.no_grad():
            reader.of_model(model(inputs), 1)
    except Exception as error:
        traceback.print_exc()
        raise CommandError(
            f"the model must answer to a picture of shape {tuple(inputs.shape)}, got "
            f"{type(error).__name__}: {error}. Check --size, --channels and --transform"
        ) from error
    return reader.classes


def _read_class_names(path: Path) -> tuple[str, ...]:
    """Return the names in a file: one in each line, or a JSON list, or a JSON object by index.

    Raises:
        CommandError: The file cannot be read, or holds something else.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # editors of Windows write the mark
        if path.suffix != ".json":
            return tuple(line.strip() for line in text.splitlines() if line.strip())
        found = json.loads(text)
        if isinstance(found, dict):
            found = [found[str(index)] for index in range(len(found))]
        return tuple(map(str, list(found)))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CommandError(
            "--class-names must be a file with the name of class 0, 1, …, one in each line, or as "
            f"a list in JSON, got {str(path)!r}: {type(error).__name__}: {error}"
        ) from error


def _device(name: str | None) -> torch.device:
    """Return the device, by default a GPU if there is one.

    Raises:
        CommandError: There is no such device.
    """
    chosen = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=chosen).device
    except (RuntimeError, AssertionError) as error:
        raise CommandError(
            f"--device must be a device of torch, got {name!r}: {str(error).splitlines()[0]}"
        ) from error


def _tell_unreadable(unreadable: dict[str, str]) -> None:
    """Print how many files are unreadable, and name some of them."""
    if not unreadable:
        return
    files = "1 file" if len(unreadable) == 1 else f"{len(unreadable)} files"
    print(f"{files} cannot be read. Left out:", file=sys.stderr)
    for name, reason in [*unreadable.items()][:_NAMED]:
        print(f"  {name}: {reason}", file=sys.stderr)
    if len(unreadable) > _NAMED:
        print(f"  and {len(unreadable) - _NAMED} more", file=sys.stderr)
