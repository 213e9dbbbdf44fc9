"""Faults do not reach the training, and written samples are not lost. All faults are real."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import queue
import shutil
import subprocess
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin, read_samples
from tb_gradascent.format.event_file import EventFile
from tb_gradascent.training.stats import Stats
from testing import zoo
from testing.brief import BRIEF
from testing.fork_server import ForkServer
from testing.networks import convolutional
from testing.traces import contents, flat, modes, random_states

BATCH = torch.rand(8, 1, 12, 12, generator=torch.Generator().manual_seed(0))
LOGITS = torch.zeros(8, 10)

IMPORTS = """
import os, signal, sys
from pathlib import Path
import torch
from tb_gradascent import GradAscentHook
from testing.networks import convolutional
"""
MAKE_HOOK = """\
folder = Path(sys.argv[1])
batch, logits = torch.rand(8, 1, 12, 12), torch.zeros(8, 10)
model = convolutional()
hook = GradAscentHook(model, folder, every=1, ascent=None)
"""


Run = Callable[[str, Path], subprocess.CompletedProcess[str]]


@pytest.fixture
def run(programs: ForkServer) -> Run:
    """Runs code after ``MAKE_HOOK`` in a process of its own."""
    return lambda code, folder: programs.run(IMPORTS + MAKE_HOOK + textwrap.dedent(code), folder)


def steps(folder: Path) -> list[int]:
    return sorted({sample.step for sample in read_samples(folder)})


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.WARNING, logger="tb_gradascent"):
        yield lambda: [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_nan_or_infinite_are_captured(
    tmp_path: Path, warnings: Callable[[], list[str]], value: float
) -> None:
    """In a diverged training: first the loop's logits, then the model's own."""
    model = convolutional()
    with GradAscentHook(model, tmp_path, every=1, ascent=BRIEF) as hook:
        assert hook(BATCH, torch.full((8, 10), value)) in (0, 4)
        with torch.no_grad():
            model[-1].bias.fill_(value)  # type: ignore[operator]
        assert hook(BATCH, LOGITS) == 4
    assert warnings() == []
    for sample in read_samples(tmp_path):
        assert np.array_equal(sample.image, BATCH[0]) or sample.image.shape == (1, 12, 12)
        assert all(np.isfinite(t.delta).all() for t in sample.targets if t.delta is not None)


def test_gradients_that_are_nan_are_captured(tmp_path: Path) -> None:
    class Root(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack((x.flatten(1).sum(1).mul(0).sqrt(), x[:, 0, 0, 0]), 1)

    with GradAscentHook(Root(), tmp_path, strict=True) as hook:
        assert hook(BATCH, torch.zeros(8, 2)) == 4
    targets = [target for sample in read_samples(tmp_path) for target in sample.targets]
    assert any(np.isnan(target.gradient).any() for target in targets)
    stopped = {morph.stopped for target in targets for morph in target.morphs.values()}
    assert stopped <= {"nonfinite", "stalled", "confidence", "surest"}


class Trouble:
    """A switch that turns a fault on."""

    on = False


@dataclasses.dataclass(frozen=True)
class Fault:
    """A fault at some steps of a training.

    Attributes:
        says: A part of the log message.
        options: Makes the hook's options from the switch.
        spoils: Replaces arguments of the hook's call while the switch is on.
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
        "criterion must return a tensor with one score per sample",
        lambda trouble: {"criterion": lambda logits, _: logits[0 if trouble.on else ..., 0]},
    ),
    "a class beyond the last": Fault(
        "targets must return classes of the logits, 0 to 3",
        lambda trouble: {"targets": lambda logits, _: logits.argmin(1)[:, None] + 9 * trouble.on},
    ),
    "a score without a graph": Fault(
        "score must return values that can be differentiated",
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
    "labels that are none": Fault(
        "rows of numbers from 0 to 1", spoils=lambda _: {"labels": torch.full((8, 4), 2.0)}
    ),
    "a step that is nowhere": Fault(
        "step must be a whole", spoils=lambda _: {"step": torch.tensor(1, device="meta")}
    ),
    "half a step": Fault("step must be a whole", spoils=lambda call: {"step": call["step"] + 0.5}),
}


#: The faults of the daily test run.
DAILY = {"a criterion that raises", "out of memory", "labels that are none"}


def train_through(
    fault: Fault, folder: Path | None, *, strict: bool = False
) -> tuple[list[object], Stats | None]:
    """Run a seeded training with a fault at steps 4 to 7.

    Returns:
        The state after each step, and the hook's counts.
    """
    torch.manual_seed(1)
    trouble = Trouble()
    model = zoo.batch_norm()
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    states: list[object] = []
    with contextlib.ExitStack() as stack:
        hook = None
        if folder:
            options: dict[str, Any] = {"criterion": ProbabilityMargin(1)}
            options["ascent"] = Ascent(max_steps=2)
            options |= fault.options(trouble)
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


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(fault, id=name, marks=[] if name in DAILY else pytest.mark.slow)
        for name, fault in FAULTS.items()
    ],
)
def test_a_fault_is_logged_once_and_training_and_captures_continue(
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
    assert "counted in hook.stats and not logged; strict=True raises them" in message
    with pytest.raises((ValueError, RuntimeError, ArithmeticError, NotImplementedError)) as raised:
        train_through(fault, tmp_path / "strict", strict=True)
    assert fault.says in f"{raised.typename}: {raised.value}"
    assert steps(tmp_path / "strict") == [0, 1, 2, 3]


def test_a_capture_that_runs_out_of_memory_is_skipped(
    tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
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
def test_batches_with_unusual_logits_and_labels_are_captured(
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

    options: dict[str, Any] = {"criterion": ProbabilityMargin(1), "strict": True}
    with GradAscentHook(nn.Identity(), tmp_path, forward=forward, **options, ascent=BRIEF) as hook:
        assert hook(BATCH[: len(logits)], logits, labels) == captured
    beyond = labels is not None and bool((labels == 5000).any())
    assert ["A label is 5000" in message for message in warnings()] == [True] * beyond
    assert len(list(read_samples(tmp_path))) == captured


def test_captures_after_the_directory_was_deleted_are_dropped(
    tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
    with GradAscentHook(convolutional(), tmp_path / "run", every=1, ascent=None) as hook:
        assert hook(BATCH, LOGITS) == 4
        hook._capturer.writer.flush()
        shutil.rmtree(tmp_path / "run")
        assert [hook(BATCH, LOGITS) for _ in range(3)] == [4, 4, 4]
        hook._capturer.writer.flush()
        assert (hook.stats.written, hook.stats.dropped) == (4, 12)
    assert ["was deleted" in message for message in warnings()] == [True]


@pytest.mark.process
def test_the_next_samples_tell_how_many_were_lost(run: Run, tmp_path: Path) -> None:
    """A limit on the size of files acts like a full disk for one process."""
    done = run(
        """
        import resource
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        hook(batch, logits)
        hook._capturer.writer.flush()
        full = hook.stats.bytes + 1000
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        hook(batch, logits)
        hook(batch, logits)
        hook._capturer.writer.flush()
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
    assert content.count(b'"dropped":8') == 4 + 1, "four records, and the status at the end"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 128 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    mount = subprocess.run(["mount", *options], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("this user may not mount; the size limit above is the substitute")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.process
def test_a_full_disk_loses_captures_until_there_is_room_again(run: Run, disk: Path) -> None:
    """Each capture is larger than the free space, so the disk gets full within a capture."""
    done = run(
        """
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(100_000))
        for _ in range(20):
            hook(batch, logits)
        hook._capturer.writer.flush()
        lost = hook.stats.dropped
        assert lost and hook.stats.written, hook.stats
        before = hook.stats.bytes
        assert hook._capturer.writer.path.stat().st_size == before
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


def test_captures_are_lost_only_while_the_file_cannot_be_written(
    tmp_path: Path, warnings: Callable[[], list[str]]
) -> None:
    """The immutable attribute also applies to root and to open files; file modes do not."""
    file = tmp_path / "tried"
    with file.open("wb", buffering=0) as tried:
        refused = subprocess.run(["chattr", "+i", file], capture_output=True, check=False)
        try:
            tried.write(b"x")
        except PermissionError:
            pass
        else:
            pytest.skip("this file system, or this user, has no immutable files")
        finally:
            subprocess.run(["chattr", "-i", file], check=refused.returncode == 0)
    with GradAscentHook(convolutional(), tmp_path / "run", every=1, ascent=None) as hook:
        for immutable in ("-i", "+i", "-i"):
            (path,) = (tmp_path / "run").iterdir()
            subprocess.run(["chattr", immutable, path], check=True)
            hook(BATCH, LOGITS)
            hook._capturer.writer.flush()
    assert (hook.stats.written, hook.stats.dropped) == (8, 4)
    assert ["Operation not permitted" in message for message in warnings()] == [True]
    assert steps(tmp_path / "run") == [0, 2]


def test_a_clock_that_is_set_back_loses_no_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock jumps by years within two sessions, and the second session continues the first."""
    true_time = time.time
    for first in (0, 10):
        with GradAscentHook(convolutional(), tmp_path, every=1, ascent=None, strict=True) as hook:
            for step, jump in enumerate((0.0, -3e7, 9e7, -1e9), first):
                monkeypatch.setattr(time, "time", lambda jump=jump: true_time() + jump)
                hook(BATCH, LOGITS, step=step)
                hook._capturer.writer.flush()
        monkeypatch.setattr(time, "time", true_time)
    assert steps(tmp_path) == [0, 1, 2, 3, 10, 11, 12, 13]


@pytest.mark.process
def test_two_processes_write_to_one_directory(programs: ForkServer, tmp_path: Path) -> None:
    code = f"""
children = []
for _ in range(2):
    children.append(os.fork())
    if children[-1] == 0:
        {"        ".join(MAKE_HOOK.splitlines(keepends=True))}
        for _ in range(20):
            hook(batch, logits)
        hook.close()
        os._exit(0)
assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
"""
    done = programs.run(IMPORTS + code, tmp_path)
    assert done.returncode == 0, done.stderr
    found = [sample.step for sample in read_samples(tmp_path)]
    assert len(list(tmp_path.iterdir())) == 2
    assert set(found) == set(range(20))
    assert len(found) in (4 * 20, 2 * 4 * 20), "side by side, or the later replaces the earlier"


@pytest.mark.process
def test_a_hook_in_a_forked_process_says_that_it_records_nothing(
    programs: ForkServer, tmp_path: Path
) -> None:
    code = f"""
{MAKE_HOOK}
assert hook(batch, logits, step=0)
child = os.fork()
if child == 0:
    assert hook(batch, logits, step=1000) == 0
    assert [notice.code for notice in hook.health] == ["copy"]
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
hook.close()
assert hook.health == ()
"""
    done = programs.run(IMPORTS + code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert {sample.step for sample in read_samples(tmp_path)} == {0}


def test_strict_raises_an_error_of_the_writing_thread_at_the_next_call(tmp_path: Path) -> None:
    hook = GradAscentHook(convolutional(), tmp_path / "run", every=1, strict=True, ascent=None)
    shutil.rmtree(tmp_path / "run")
    hook(BATCH, LOGITS)
    hook._capturer.writer.flush()
    with pytest.raises(FileNotFoundError, match="was deleted"):
        hook(BATCH, LOGITS)
    hook.close()


def test_strict_raises_the_last_error_of_the_writing_thread_on_close(tmp_path: Path) -> None:
    hook = GradAscentHook(convolutional(), tmp_path / "run", every=1, strict=True, ascent=None)
    shutil.rmtree(tmp_path / "run")
    with contextlib.suppress(FileNotFoundError):  # the thread may be that quick
        hook(BATCH, LOGITS)
        with pytest.raises(FileNotFoundError, match="was deleted"):
            hook.close()
    hook.close()
    assert hook.stats.dropped == 4


def test_strict_does_not_hide_an_error_of_the_training(
    tmp_path: Path,
) -> None:
    with pytest.raises(RuntimeError, match="of the training"):
        with GradAscentHook(
            convolutional(), tmp_path / "run", every=1, strict=True, ascent=None
        ) as hook:
            shutil.rmtree(tmp_path / "run")
            with contextlib.suppress(FileNotFoundError):
                hook(BATCH, LOGITS)
            raise RuntimeError("of the training")


@pytest.mark.parametrize(
    ("end", "lost"),
    [
        ("os._exit(0)", True),
        ("signal.raise_signal(signal.SIGTERM)", True),
        ("signal.raise_signal(signal.SIGKILL)", True),
        ("signal.raise_signal(signal.SIGINT)", False),
        ("raise RuntimeError", False),
    ],
)
@pytest.mark.process
def test_written_samples_are_readable_however_the_process_ends(
    run: Run, tmp_path: Path, end: str, lost: bool
) -> None:
    run(
        f"""
        for _ in range(5):
            hook(batch, logits)
        hook._capturer.writer.flush()
        for _ in range(6):
            hook(batch, logits)
        {end}
        """,
        tmp_path,
    )
    found = steps(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) >= 5 if lost else len(found) == 11


def test_forked_data_loader_workers_do_not_disturb_the_writer(tmp_path: Path) -> None:
    data = TensorDataset(BATCH.repeat(8, 1, 1, 1), torch.zeros(64).long())
    model = convolutional()
    with GradAscentHook(model, tmp_path, every=1, ascent=None, strict=True) as hook:
        calls = 0
        for _ in range(3):
            for inputs, labels in DataLoader(
                data, batch_size=16, num_workers=2, multiprocessing_context="fork"
            ):
                assert hook(inputs, torch.zeros(16, 10), labels) == 4
                calls += 1
    assert steps(tmp_path) == list(range(calls))


def test_a_step_that_goes_backwards_is_captured(tmp_path: Path) -> None:
    """A loop restarts from a checkpoint within one session, so both captures of a step stay."""
    with GradAscentHook(convolutional(), tmp_path, every=10, ascent=None, strict=True) as hook:
        captured = [hook(BATCH, LOGITS, step=step) for step in (0, 10, 20, 10, 20, 30)]
    assert captured == [4] * 6
    assert steps(tmp_path) == [0, 10, 20, 30]


@pytest.mark.process
def test_a_read_only_directory_raises_before_the_training(
    programs: ForkServer, tmp_path: Path
) -> None:
    folder = tmp_path / "readonly"
    folder.mkdir()
    folder.chmod(0o555)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        if parent.owner() == tmp_path.owner():
            parent.chmod(0o755)
    code = """
        import os, sys
        from torch import nn
        from tb_gradascent import GradAscentHook
        if os.geteuid() == 0:
            os.setuid(65534)  # root may write anywhere
        try:
            GradAscentHook(nn.Identity(), sys.argv[1])
        except PermissionError as error:
            print("refused:", error)
        """
    done = programs.run(code, folder / "run")
    assert "refused:" in done.stdout, done.stderr


def test_the_loop_waits_for_a_slow_disk_and_the_wait_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk writes nothing until the loop has found the queue full."""
    is_full = threading.Event()
    append, put = EventFile.append, queue.Queue.put

    def slow_append(self: EventFile, *events: Any) -> None:
        assert is_full.wait(60)
        append(self, *events)

    def watched_put(
        self: queue.Queue[Any], item: Any, block: bool = True, timeout: float | None = None
    ) -> None:
        if block and self.full():
            is_full.set()
        put(self, item, block, timeout)

    with GradAscentHook(nn.Identity(), tmp_path, every=1, forward=_sums, ascent=None) as hook:
        monkeypatch.setattr(EventFile, "append", slow_append)
        monkeypatch.setattr(queue.Queue, "put", watched_put)
        for _ in range(40):
            hook(BATCH, LOGITS)
        assert hook.stats.waited > 0
    assert hook.stats.written == hook.stats.captured == 160


def _sums(model: nn.Module, x: Tensor) -> Tensor:
    return x.flatten(1)[:, :10]
