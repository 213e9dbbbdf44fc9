"""Run checks in several processes that the real ``torchrun`` starts."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
import torch.distributed as dist

from testing.any_speed import capture_at_any_speed

PASSED = "passed"
_TIMEOUT = 300

Check = Callable[[Path], None]


def launch(module: str, directory: Path, processes: int = 2) -> dict[str, list[str]]:
    """Run a module's checks, and return each check's results by process.

    A result is ``"passed"`` or a traceback.

    Args:
        module: Calls :func:`run` when it is run as a program.
        directory: The checks write there.
        processes: The number of processes.

    Raises:
        RuntimeError: The processes did not end by themselves, or left no report. The message is
            their output.
    """
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", str(processes), "-m", module, str(directory)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            printed, _ = process.communicate(timeout=_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.terminate()  # torchrun ends its own
            printed, _ = process.communicate()
            raise RuntimeError(f"the processes wait for each other:\n{printed}") from None
    reports = [directory / f"rank{rank}.json" for rank in range(processes)]
    if not all(report.exists() for report in reports):
        raise RuntimeError(f"torchrun failed:\n{printed}")
    parts = [json.loads(report.read_text()) for report in reports]
    names = [name for part in parts for name in part]
    return {name: [part.get(name, f"not reached\n{printed}") for part in parts] for name in names}


def run(checks: Iterable[Check]) -> None:
    """Run checks one after the other in a process that ``torchrun`` started, until one fails.

    After a failure on this rank the other rank may wait for it until the timeout.
    """
    torch.set_num_threads(1)
    capture_at_any_speed()
    directory = Path(sys.argv[1])
    dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=120))
    report: dict[str, str] = {}
    for check in checks:
        folder = directory / check.__name__
        try:
            check(folder)
            dist.barrier()
            report[check.__name__] = PASSED
        except Exception:
            report[check.__name__] = traceback.format_exc()
            break
    (directory / f"rank{dist.get_rank()}.json").write_text(json.dumps(report))
    if PASSED not in set(report.values()) or len(set(report.values())) > 1:
        os._exit(0)  # leaving the group would wait for a rank that may have ended
    dist.destroy_process_group()
