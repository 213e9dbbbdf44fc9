"""A file system that stalls: training goes on, and closing and leaving take a bounded time.

The file system is a real one in a file, which ``fsfreeze`` stops. That needs root.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tb_gradascent import GradAscentHook, read_samples
from tb_gradascent.training import writer
from testing.networks import convolutional
from testing.paths import ROOT

BATCH = torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(0))
LOGITS = torch.zeros(8, 10)
PROGRAMS = ("mkfs.ext4", "mount", "umount", "fsfreeze")
MEGABYTES = 16

pytestmark = pytest.mark.process


class Disk:
    """A small file system of its own.

    Args:
        folder: Where it is mounted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._is_frozen = False

    def freeze(self) -> None:
        """Stop every write from here on. Nothing tells the writer so."""
        subprocess.run(["fsfreeze", "--freeze", self.folder], check=True)
        self._is_frozen = True

    def thaw(self) -> None:
        """Let everything go on."""
        if self._is_frozen:
            subprocess.run(["fsfreeze", "--unfreeze", self.folder], check=True)
            self._is_frozen = False


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A mounted disk; it is thawed at the end."""
    if os.geteuid() or not all(map(shutil.which, PROGRAMS)):
        pytest.skip("needs root and " + ", ".join(PROGRAMS))
    image, folder = tmp_path / "image", tmp_path / "disk"
    image.write_bytes(bytes(MEGABYTES << 20))
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    mounted = subprocess.run(["mount", "-o", "loop", image, folder], check=False)
    if mounted.returncode:
        pytest.skip("this machine mounts no loop device")
    made = Disk(folder)
    try:
        yield made
    finally:
        made.thaw()
        subprocess.run(["umount", "--lazy", folder], check=False)


def hook_with_one_sample(disk: Disk) -> GradAscentHook:
    """A hook that captures at each call, and whose first sample is on the disk."""
    hook = GradAscentHook(convolutional(), disk.folder / "run", every=1, top_k=1)
    hook(BATCH, LOGITS)
    hook._capturer.writer.flush()
    return hook


def codes(hook: GradAscentHook) -> list[str]:
    return [notice.code for notice in hook.health]


def test_the_loop_goes_on_and_captures_are_dropped_and_counted(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LONGEST_WAIT", 0.2)
    hook = hook_with_one_sample(disk)
    disk.freeze()
    for _ in range(writer.QUEUE_LENGTH + 20):
        hook(BATCH, LOGITS)
    stats = hook.stats
    assert stats.dropped >= 10
    assert "write-stalled" in codes(hook)
    disk.thaw()
    hook.close()
    stats = hook.stats
    assert stats.captured == stats.written + stats.dropped == writer.QUEUE_LENGTH + 21
    assert len(list(read_samples(disk.folder))) == stats.written


def test_closing_leaves_after_a_while_and_says_so(
    disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LONGEST_CLOSE", 0.2)
    hook = hook_with_one_sample(disk)
    acknowledged = hook.stats.written
    disk.freeze()
    hook(BATCH, LOGITS)
    hook.close()
    assert "close-stalled" in codes(hook)
    disk.thaw()
    assert len(list(read_samples(disk.folder))) >= acknowledged == 1


LEAVE = """
import atexit
atexit.register(lambda: print("left", flush=True))  # called last
import sys
import torch
from tb_gradascent import GradAscentHook
from tb_gradascent.training import writer
from testing.networks import convolutional

writer.LONGEST_CLOSE = 0.2
hook = GradAscentHook(convolutional(), sys.argv[1], every=1, top_k=1)
print("ready", flush=True)
sys.stdin.readline()
hook(torch.rand(8, 1, 12, 12), torch.zeros(8, 10))
"""


def test_the_interpreter_ends_although_the_disk_takes_nothing(disk: Disk) -> None:
    """The process itself can go only when the disk lets go of the thread that writes."""
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", LEAVE, str(disk.folder / "run")],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(disk.thaw)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        disk.freeze()
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "left\n"
        disk.thaw()
        assert process.wait(120) == 0
