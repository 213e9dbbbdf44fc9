"""How fast ``hook.scan`` goes through a data set, against the bare forward pass.

Both take the same batches; the bare pass is the model in eval mode without gradients. The scan also
ranks the samples. Its pass ends when it has ranked the last batch. Then it captures the best, which
takes as long for a small data set as for a large one. Two processes scan half of the data set each,
and agree on the best. Each process has one thread. The bare pass in two processes shows what the
machine allows without the hook.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn

from bench import report
from bench.measure import ratio, seconds, spread, synchronize
from bench.workloads import digit_batches, trained_cnn
from demo import models
from tb_gradascent import GradAscentHook

ROUNDS = 10
TRIALS = 3
"""Of one process and of two, by turns; each scans so many times as well."""


def batches(rank: int = 0, world_size: int = 1) -> list[tuple[Tensor, Tensor]]:
    """One process's equal part of the 10,000 training digits, 256 at once."""
    images, labels = (
        torch.cat(parts)[rank::world_size].contiguous()
        for parts in zip(*digit_batches(), strict=True)
    )
    return list(zip(images.split(256), labels.split(256), strict=True))


class TimedLoader:
    """Yields batches, and notes the seconds from its start until it is asked in vain for one more.

    Attributes:
        seconds: Those of each pass.
    """

    def __init__(
        self, items: Sequence[tuple[Tensor, Tensor]], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.seconds: list[float] = []
        self._items = items
        self._clock = clock

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        start = self._clock()
        yield from self._items
        synchronize()
        self.seconds.append(self._clock() - start)


def run_bare(model: nn.Module, loader: TimedLoader) -> None:
    """A forward pass of the whole data set, without gradients, in eval mode."""
    model.eval()
    with torch.no_grad():
        for images, _ in loader:
            model(images)


def scan_part(rank: int, world_size: int, folder: str) -> None:
    """One process's part; the first one leaves the seconds that each scan took."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world_size
    )
    model, items = models.cnn((1, 28, 28), 10), batches(rank, world_size)
    bare, loader = TimedLoader(items), TimedLoader(items)
    took = []
    with GradAscentHook(model, f"{folder}/run") as hook:
        for _ in range(TRIALS + 1):
            distributed.barrier()
            run_bare(model, bare)
            distributed.barrier()
            took.append(seconds(lambda: hook.scan(loader)))
    # The first one warms up.
    lines = (" ".join(map(str, values[1:])) for values in (bare.seconds, loader.seconds, took))
    Path(folder, f"seconds-{rank}").write_text("\n".join(lines), encoding="utf-8")
    distributed.destroy_process_group()


def in_processes(count: int) -> tuple[list[float], ...]:
    """Seconds that so many processes took: for bare passes, the scans' passes, and whole scans."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(scan_part, (count, folder), count)
        texts = [Path(folder, f"seconds-{rank}").read_text("utf-8") for rank in range(count)]
    found = [[*map(_numbers, text.split("\n"))] for text in texts]
    # All processes wait for the slowest one.
    return tuple(
        [max(each) for each in zip(*values, strict=True)] for values in zip(*found, strict=True)
    )


def _numbers(line: str) -> list[float]:
    return list(map(float, line.split()))


def run() -> report.Section:
    """Measures one process, and two."""
    model, loader = trained_cnn(1), batches()
    samples = sum(len(images) for images, _ in loader)
    took: dict[str, list[float]] = {"bare forward pass": [], "scan, its pass": [], "scan": []}
    with tempfile.TemporaryDirectory() as folder, GradAscentHook(model, folder) as hook:
        for turn in range(ROUNDS + 1):
            bare, timed = TimedLoader(loader), TimedLoader(loader)
            run_bare(model, bare)
            whole = seconds(functools.partial(hook.scan, timed))
            if turn:  # the first one warms up
                for values, value in zip(
                    took.values(), (*bare.seconds, *timed.seconds, whole), strict=True
                ):
                    values.append(value)
    alone: tuple[list[float], ...] = ([], [], [])
    together: tuple[list[float], ...] = ([], [], [])
    for _ in range(TRIALS):
        for found, count in ((alone, 1), (together, 2)):
            for values, more in zip(found, in_processes(count), strict=True):
                values.extend(more)
    for place, name in enumerate(("bare pass", "pass", "whole scan")):
        took[f"{name}, one process with a thread"] = alone[place]
        took[f"{name}, two processes"] = together[place]
    return report.Section(
        "Scan",
        [
            report.Figure(
                "samples a second of a scan against the bare forward pass",
                ratio(took["bare forward pass"], took["scan, its pass"]).text("{:.2f}"),
                "at least 0.95",
            ),
            report.Figure(
                "samples a second of a scan by two processes against one",
                ratio(alone[1], together[1]).text("{:.2f}"),
                "at least 1.8",
            ),
            report.Figure(
                "the same of the bare forward pass",
                ratio(alone[0], together[0]).text("{:.2f}"),
            ),
        ],
        ("what", "samples a second"),
        [
            (name, spread([samples / value for value in values]).text("{:,.0f}"))
            for name, values in took.items()
        ],
        "Of the demo's network and 10,000 digits, 256 at once. A whole scan also captures the 32 "
        "most confused samples. One process does that alone, and its time does not grow with the "
        "data.",
    )


if __name__ == "__main__":
    report.show(run())
