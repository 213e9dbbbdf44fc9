"""How fast ``hook.scan`` goes through a data set, against the bare forward pass.

Both take the same batches; the bare pass is the model in eval mode without gradients. The scan also
ranks the samples, and in the end captures the best. Two processes scan half of the data set each,
and agree on the best; each of them has one thread, and so has the one process that they are
compared with.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from bench import report
from bench.measure import by_turns, ratio, seconds, spread
from bench.workloads import digit_batches, trained_cnn
from demo import models
from tb_gradascent import GradAscentHook

ROUNDS = 10
TRIALS = 3
"""Of one process and of two, by turns; each scans so many times as well."""


def batches() -> list[tuple[Tensor, Tensor]]:
    """The 10,000 training digits, 256 at once."""
    images, labels = (torch.cat(parts) for parts in zip(*digit_batches(), strict=True))
    return list(zip(images.split(256), labels.split(256), strict=True))


def scan_part(rank: int, world_size: int, folder: str) -> None:
    """One process's part; the first one leaves the seconds that each scan took."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world_size
    )
    model, loader = models.cnn((1, 28, 28), 10), batches()[rank::world_size]
    took = []
    with GradAscentHook(model, f"{folder}/run") as hook:
        for _ in range(TRIALS + 1):
            distributed.barrier()
            took.append(seconds(lambda: hook.scan(loader)))
    if rank == 0:
        text = " ".join(map(str, took[1:]))  # the first one warms up
        Path(folder, "seconds").write_text(text, encoding="utf-8")
    distributed.destroy_process_group()


def in_processes(count: int) -> list[float]:
    """Seconds that scans by so many processes took."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(scan_part, (count, folder), count)
        return list(map(float, Path(folder, "seconds").read_text(encoding="utf-8").split()))


def run() -> report.Section:
    """Measures one process, and two."""
    model, loader = trained_cnn(), batches()
    samples = sum(len(images) for images, _ in loader)

    @torch.no_grad()
    def bare() -> None:
        for images, _ in loader:
            model(images)

    with tempfile.TemporaryDirectory() as folder, GradAscentHook(model, folder) as hook:
        took = by_turns(
            {"bare forward pass": bare, "scan": lambda: hook.scan(loader)}, ROUNDS, what="scan"
        )
    alone: list[float] = []
    together: list[float] = []
    for _ in range(TRIALS):
        alone += in_processes(1)
        together += in_processes(2)
    took |= {"scan, one process with a thread": alone, "scan, two processes": together}
    return report.Section(
        "Scan",
        [
            report.Figure(
                "samples a second of a scan against the bare forward pass",
                ratio(took["bare forward pass"], took["scan"]).text("{:.2f}"),
            ),
            report.Figure(
                "samples a second of a scan by two processes against one",
                ratio(alone, together).text("{:.2f}"),
            ),
        ],
        ("what", "samples a second"),
        [
            (name, spread([samples / value for value in values]).text("{:,.0f}"))
            for name, values in took.items()
        ],
        "Of the demo's network and 10,000 digits, 256 at once.",
    )


if __name__ == "__main__":
    report.show(run())
