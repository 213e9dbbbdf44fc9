"""No fault reaches the training, and nothing that was written is lost. Each one is real."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tb_gradascent import GradAscentHook, ProbabilityMargin, read_samples
from tb_gradascent.training.stats import Stats
from testing import zoo
from testing.networks import convolutional
from testing.paths import ROOT
from tests.training.test_no_trace import contents, flat, modes, random_states

BATCH = torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(0))
LOGITS = torch.zeros(8, 10)

TRAINING = """
import os, signal, sys, time
from pathlib import Path
import torch
from tb_gradascent import GradAscentHook
from testing.networks import convolutional
torch.set_num_threads(1)
folder = Path(sys.argv[1])
batch, logits = torch.rand(8, 1, 12, 12), torch.zeros(8, 10)
model = convolutional()
hook = GradAscentHook(model, folder, every=1)
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A training in a process of its own."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", TRAINING + textwrap.dedent(code), str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def steps(folder: Path) -> list[int]:
    return sorted({sample.step for sample in read_samples(folder)})


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.WARNING, logger="tb_gradascent"):
        yield lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_not_numbers(
    tmp_path: Path, warnings: Callable[[], list[str]], value: float
) -> None:
    """A diverged training: the loop's logits first, then the model's own."""
    model = convolutional()
    with GradAscentHook(model, tmp_path, every=1) as hook:
        assert hook(BATCH, torch.full((8, 10), value)) in (0, 4)
        with torch.no_grad():
            model[-1].bias.fill_(value)  # type: ignore[operator]
        assert hook(BATCH, LOGITS) == 4
    assert warnings() == []
    for sample in read_samples(tmp_path):
        assert np.array_equal(sample.image, BATCH[0]) or sample.image.shape == (1, 12, 12)
        assert all(np.isfinite(t.delta).all() for t in sample.targets if t.delta is not None)


def test_gradients_that_are_not_numbers(tmp_path: Path) -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack((x.flatten(1).sum(1).mul(0).sqrt(), x[:, 0, 0, 0]), 1)

    with GradAscentHook(Root(), tmp_path, strict=True) as hook:
        assert hook(BATCH, torch.zeros(8, 2)) == 4
    targets = [target for sample in read_samples(tmp_path) for target in sample.targets]
    assert any(np.isnan(target.gradient).any() for target in targets)
    assert {target.stopped for target in targets} <= {"nonfinite", "stalled", "confidence"}


class Trouble:
    """Whether there is any."""

    on = False


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong at some of the steps of a training.

    Attributes:
        says: What the log then says of it.
        options: The hook's, which know when there is trouble.
        spoils: What a call is given then, of what it would be given.
    """

    says: str
    options: Callable[[Trouble], dict[str, Any]] = lambda trouble: {}
    spoils: Callable[[dict[str, Any]], dict[str, Any]] = lambda call: {}


def failing_criterion(trouble: Trouble) -> dict[str, Any]:
    return {"criterion": lambda logits, labels: logits[:, 0] * (1 // (not trouble.on))}


def failing_forward(trouble: Trouble) -> dict[str, Any]:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        if trouble.on:
            model[1].running_mean += torch.rand(4)  # type: ignore[index]
            raise RuntimeError("out of luck")
        logits: Tensor = model(x)
        return logits

    return {"forward": forward}


FAULTS = {
    "a criterion that raises": Fault("ZeroDivisionError", failing_criterion),
    "a criterion of one score": Fault(
        "criterion must return a tensor with one score a sample",
        lambda trouble: {"criterion": lambda logits, _: logits[0 if trouble.on else ..., 0]},
    ),
    "a class beyond the last": Fault(
        "targets must return classes of the logits, 0 to 3",
        lambda trouble: {"targets": lambda logits, _: logits.argmin(1)[:, None] + 9 * trouble.on},
    ),
    "a score without a graph": Fault(
        "score must return what can be differentiated",
        lambda trouble: {
            "score": lambda logits, _: (logits.detach() if trouble.on else logits)[:, 0]
        },
    ),
    "a forward that raises": Fault("RuntimeError: out of luck", failing_forward),
    "out of memory": Fault(
        "memory",
        lambda trouble: {
            "forward": lambda model, x: torch.empty(1 << 60) if trouble.on else model(x)
        },
    ),
    "inputs on another device": Fault(
        "meta tensor", spoils=lambda call: {"inputs": call["inputs"].to("meta")}
    ),
    "logits of another batch": Fault(
        "logits must be logits of shape", spoils=lambda call: {"logits": call["logits"][:3]}
    ),
    "soft labels": Fault(
        "Of soft labels give labels.argmax", spoils=lambda _: {"labels": torch.full((8, 4), 0.25)}
    ),
    "an id too long": Fault("at most 256", spoils=lambda _: {"ids": ["x" * 300] * 8}),
    "a step that is nowhere": Fault(
        "step must be a whole", spoils=lambda _: {"step": torch.tensor(1, device="meta")}
    ),
    "half a step": Fault("step must be a whole", spoils=lambda call: {"step": call["step"] + 0.5}),
}


def train_through(
    fault: Fault, folder: Path | None, *, strict: bool = False
) -> tuple[list[object], Stats | None]:
    """A seeded training with trouble at steps 4 to 7: the state after each, and the counts."""
    torch.manual_seed(1)
    trouble = Trouble()
    model = zoo.batch_norm()
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    states: list[object] = []
    with contextlib.ExitStack() as stack:
        hook = None
        if folder:
            options = {"criterion": ProbabilityMargin(1), **fault.options(trouble)}
            made = GradAscentHook(model, folder, every=1, strict=strict, **options)
            hook = stack.enter_context(made)
        for step in range(12):
            trouble.on = 4 <= step < 8
            inputs, labels = torch.randn(8, *zoo.SHAPE), torch.randint(zoo.CLASSES, (8,))
            logits = model(inputs)
            if hook:
                call: dict[str, Any] = {"inputs": inputs, "logits": logits, "labels": labels}
                call["step"] = step
                call |= fault.spoils(call) if trouble.on else {}
                assert hook(**call) == (0 if trouble.on else 4)
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, labels).backward()
            optimizer.step()
            states.append([contents(model), flat(optimizer.state_dict()), random_states(), modes()])
        return states, hook.stats if hook else None


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_training_goes_on_bit_for_bit_the_same_and_so_do_captures(
    tmp_path: Path, warnings: Callable[[], list[str]], fault: Fault
) -> None:
    without, _ = train_through(fault, None)
    hooked, stats = train_through(fault, tmp_path / "lenient")
    assert hooked == without
    assert hooked[0] != hooked[-1]
    assert stats is not None
    assert (stats.captured, stats.failed, stats.dropped) == (4 * 8, 4, 0)
    assert steps(tmp_path) == [0, 1, 2, 3, 8, 9, 10, 11]
    (message,) = warnings()
    assert fault.says in message
    assert "Training is not affected" in message
    assert "strict=True raises it, hook.stats counts them" in message
    with pytest.raises((ValueError, RuntimeError, ArithmeticError, NotImplementedError)) as raised:
        train_through(fault, tmp_path / "strict", strict=True)
    assert fault.says in f"{raised.typename}: {raised.value}"
    assert steps(tmp_path / "strict") == [0, 1, 2, 3]


def test_out_of_memory_in_a_capture(tmp_path: Path, warnings: Callable[[], list[str]]) -> None:
    def forward(model: nn.Module, x: Tensor) -> Tensor:
        return torch.empty(1 << 60)

    model = convolutional()
    with GradAscentHook(model, tmp_path, every=1, forward=forward) as hook:
        assert [hook(BATCH, LOGITS) for _ in range(3)] == [0, 0, 0]
        assert hook.stats.failed == 3
    assert ["memory" in message for message in warnings()] == [True]
    assert model.training


@pytest.mark.parametrize(
    ("logits", "labels", "captured"),
    [
        (torch.zeros(8, 1), None, 4),
        (torch.zeros(8), None, 4),
        (torch.zeros(8, 2), None, 4),
        (torch.zeros(8, 10_000), None, 4),
        (LOGITS, torch.full((8,), -100), 4),
        (LOGITS, torch.full((8,), 5000), 4),
        (LOGITS, nn.functional.one_hot(torch.arange(8), 10), 4),
        (LOGITS[:1], None, 1),
        (LOGITS[:0], None, 0),
    ],
    ids=["binary", "flat", "two", "many", "ignored", "beyond", "one-hot", "one", "none"],
)
def test_batches_of_every_kind(
    tmp_path: Path,
    warnings: Callable[[], list[str]],
    logits: Tensor,
    labels: Tensor | None,
    captured: int,
) -> None:
    shape = logits.shape[1:]

    def forward(model: nn.Module, x: Tensor) -> Tensor:
        out: Tensor = x.flatten(1).sum(1).reshape(-1, *([1] * len(shape))).expand(-1, *shape)
        return out * torch.linspace(0.9, 1, shape.numel()).reshape(shape)

    with GradAscentHook(nn.Identity(), tmp_path, forward=forward, strict=True) as hook:
        assert hook(BATCH[: len(logits)], logits, labels) == captured
    assert warnings() == []
    assert len(list(read_samples(tmp_path))) == captured


def test_a_removed_directory(tmp_path: Path, warnings: Callable[[], list[str]]) -> None:
    with GradAscentHook(convolutional(), tmp_path / "run", every=1) as hook:
        assert hook(BATCH, LOGITS) == 4
        hook._writer.flush()
        shutil.rmtree(tmp_path / "run")
        assert [hook(BATCH, LOGITS) for _ in range(3)] == [4, 4, 4]
        hook._writer.flush()
        assert (hook.stats.written, hook.stats.dropped) == (4, 12)
    assert ["was deleted" in message for message in warnings()] == [True]


def test_what_was_lost_is_told_in_what_follows(tmp_path: Path) -> None:
    """A limit on the size of files is what a process can have of a full disk."""
    done = run(
        """
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        hook(batch, logits)
        hook._writer.flush()
        full = hook.stats.bytes + 1000
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        hook(batch, logits)
        hook(batch, logits)
        hook._writer.flush()
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        hook(batch, logits)
        hook.close()
        assert (hook.stats.written, hook.stats.dropped) == (8, 8), hook.stats
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("could not be written") == 1
    assert steps(tmp_path) == [0, 3]
    content = next(tmp_path.iterdir()).read_bytes()
    assert content.count(b'"dropped":8') == 4


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    mount = subprocess.run(["mount", *options], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("who runs this may not mount; the size limit above stands for it")
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_a_full_disk_and_room_again(disk: Path) -> None:
    """Each capture is larger than what was left, so the disk runs full inside one."""
    done = run(
        """
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(100_000))
        for _ in range(20):
            hook(batch, logits)
        hook._writer.flush()
        lost = hook.stats.dropped
        assert lost and hook.stats.written, hook.stats
        before = hook.stats.bytes
        assert hook._writer.path.stat().st_size == before
        ballast.unlink()
        hook(batch, logits)
        hook.close()
        assert hook.stats.dropped == lost and hook.stats.bytes > before, hook.stats
        """,
        disk,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("No space left on device") == 1
    found = steps(disk)
    assert (found[0], found[-1]) == (0, 20)


def test_permission_that_is_lost_and_given_back(tmp_path: Path) -> None:
    """Modes bind neither root nor a file that is open; the immutable attribute binds both."""
    file = tmp_path / "tried"
    with file.open("wb", buffering=0) as tried:
        refused = subprocess.run(["chattr", "+i", file], capture_output=True, check=False)
        try:
            tried.write(b"x")
        except PermissionError:
            pass
        else:
            pytest.skip("this file system, or who runs this, has no immutable files")
        finally:
            subprocess.run(["chattr", "-i", file], check=refused.returncode == 0)
    done = run(
        """
        import subprocess
        for immutable in ("-i", "+i", "-i"):
            subprocess.run(["chattr", immutable, hook._writer.path], check=True)
            hook(batch, logits)
            hook._writer.flush()
        hook.close()
        assert (hook.stats.written, hook.stats.dropped) == (8, 4), hook.stats
        """,
        tmp_path / "run",
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("Operation not permitted") == 1
    assert steps(tmp_path) == [0, 2]


def test_a_clock_that_goes_backwards_loses_nothing(tmp_path: Path) -> None:
    """By a year in the middle of a session, and before a restart that repeats nothing."""
    code = """
        import time as clock
        true = clock.time
        for jump in (0, -3e7, 9e7, -1e9):
            clock.time = lambda: true() + jump
            hook(batch, logits, step={first} + int(hook._pacer.next_step))
            hook._writer.flush()
        hook.close()
        """
    for first in (0, 10):
        done = run(code.format(first=first), tmp_path)
        assert done.returncode == 0, done.stderr
    assert steps(tmp_path) == [0, 1, 2, 3, 10, 11, 12, 13]


def test_two_processes_write_to_one_directory(tmp_path: Path) -> None:
    code = TRAINING + "for _ in range(20):\n    hook(batch, logits)\nhook.close()"
    both = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT) for _ in range(2)
    ]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    found = [sample.step for sample in read_samples(tmp_path)]
    assert len(list(tmp_path.iterdir())) == 2
    assert set(found) == set(range(20))
    assert len(found) in (4 * 20, 2 * 4 * 20), "side by side, or the later replaces the earlier"


def test_strict_raises_what_the_writing_thread_met(tmp_path: Path) -> None:
    hook = GradAscentHook(convolutional(), tmp_path / "run", every=1, strict=True)
    shutil.rmtree(tmp_path / "run")
    hook(BATCH, LOGITS)
    hook._writer.flush()
    with pytest.raises(FileNotFoundError, match="was deleted"):
        hook(BATCH, LOGITS)
    hook.close()


def test_strict_raises_at_the_end_what_the_writing_thread_met_last(tmp_path: Path) -> None:
    hook = GradAscentHook(convolutional(), tmp_path / "run", every=1, strict=True)
    shutil.rmtree(tmp_path / "run")
    with contextlib.suppress(FileNotFoundError):  # the thread may be that quick
        hook(BATCH, LOGITS)
        with pytest.raises(FileNotFoundError, match="was deleted"):
            hook.close()
    hook.close()
    assert hook.stats.dropped == 4


def test_strict_does_not_hide_an_error_of_the_training_behind_one_of_its_own(
    tmp_path: Path,
) -> None:
    with pytest.raises(RuntimeError, match="of the training"):
        with GradAscentHook(convolutional(), tmp_path / "run", every=1, strict=True) as hook:
            shutil.rmtree(tmp_path / "run")
            with contextlib.suppress(FileNotFoundError):
                hook(BATCH, LOGITS)
            raise RuntimeError("of the training")


@pytest.mark.parametrize(
    ("end", "lost"),
    [
        ("os._exit(0)", True),
        ("os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)", True),
        ("os.kill(os.getpid(), signal.SIGKILL)", True),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(60)", False),
        ("raise RuntimeError", False),
    ],
)
def test_however_the_process_ends_what_was_written_is_readable(
    tmp_path: Path, end: str, lost: bool
) -> None:
    run(
        f"""
        for _ in range(5):
            hook(batch, logits)
        hook._writer.flush()
        for _ in range(6):
            hook(batch, logits)
        {end}
        """,
        tmp_path,
    )
    found = steps(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) >= 5 if lost else len(found) == 11


def test_data_loader_workers_forked_while_the_writer_is_busy(tmp_path: Path) -> None:
    data = TensorDataset(BATCH.repeat(8, 1, 1, 1), torch.zeros(64).long())
    model = convolutional()
    with GradAscentHook(model, tmp_path, every=1, strict=True) as hook:
        calls = 0
        for _ in range(3):
            for inputs, labels in DataLoader(
                data, batch_size=16, num_workers=2, multiprocessing_context="fork"
            ):
                assert hook(inputs, torch.zeros(16, 10), labels) == 4
                calls += 1
    assert steps(tmp_path) == list(range(calls))


def test_a_step_that_goes_backwards(tmp_path: Path) -> None:
    """A loop set back to a checkpoint: one session, so both tellings of a step are kept."""
    with GradAscentHook(convolutional(), tmp_path, every=10, strict=True) as hook:
        captured = [hook(BATCH, LOGITS, step=step) for step in (0, 10, 20, 10, 20, 30)]
    assert captured == [4] * 6
    assert steps(tmp_path) == [0, 10, 20, 30]


def test_a_read_only_directory_is_an_error_before_training(tmp_path: Path) -> None:
    code = """
import sys, os
from torch import nn
from tb_gradascent import GradAscentHook
os.setuid(65534)
try:
    GradAscentHook(nn.Identity(), sys.argv[1])
except PermissionError as error:
    print("refused:", error)
"""
    folder = tmp_path / "readonly"
    folder.mkdir()
    folder.chmod(0o555)
    if os.geteuid() != 0:
        code = code.replace("os.setuid(65534)", "")
    for parent in (tmp_path, *tmp_path.parents[:2]):
        if parent.owner() == tmp_path.owner():
            parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder / "run")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "refused:" in done.stdout, done.stderr


def test_a_slow_disk_makes_the_loop_wait_and_says_how_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tb_gradascent.format.event_file import EventFile

    append = EventFile.append

    def slow(self: EventFile, *events: Any) -> None:
        time.sleep(0.02)
        append(self, *events)

    monkeypatch.setattr(EventFile, "append", slow)
    with GradAscentHook(nn.Identity(), tmp_path, every=1, forward=_sums, ascent=None) as hook:
        for _ in range(40):
            hook(BATCH, LOGITS)
        assert hook.stats.waited > 0
    assert hook.stats.written == hook.stats.captured == 160


def _sums(model: nn.Module, x: Tensor) -> Tensor:
    return x.flatten(1)[:, :10]
