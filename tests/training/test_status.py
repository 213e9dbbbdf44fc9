"""What a hook tells of itself, as TensorBoard's own reader finds it in the event file."""

from __future__ import annotations

import copy
import gc
import logging
import subprocess
import textwrap
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, Misclassified, ProbabilityMargin, read_samples
from tb_gradascent.format import sample_codec
from tb_gradascent.format.event_file import find_event_files
from tb_gradascent.format.metadata import split_series_tag
from tb_gradascent.format.remote import RemotePath, find_remote_files
from tb_gradascent.format.status import Notice, Status
from tb_gradascent.training import writer as writer_module
from tb_gradascent.training.health import Health
from tb_gradascent.training.writer import SampleWriter
from testing.fork_server import ForkServer
from testing.ready_capture import ready_capture
from testing.synthetic import DIGITS, make_captures

BATCH = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def logits_of(model: nn.Module, x: Tensor) -> Tensor:
    """A classifier that costs nothing and is never sure."""
    return x.flatten(1)[:, :3]


def sure(model: nn.Module, x: Tensor) -> Tensor:
    """A classifier whose margins are about 0.9."""
    return 0.01 * x.flatten(1)[:, :3] + torch.tensor([3.5, 0, 0])


def made(folder: Path, **options: object) -> GradAscentHook:
    given = {"every": 1, "forward": logits_of, "ascent": None, **options}
    return GradAscentHook(nn.Identity(), folder, **given)  # type: ignore[arg-type]


def told(folder: Path) -> list[Status]:
    """The statuses in the only event file of a folder."""
    (file,) = find_event_files(folder)
    statuses: list[Status] = []
    infos: list[bytes] = []
    for event in LegacyEventFileLoader(str(file)).Load():
        for value in event.summary.value:
            split = split_series_tag(value.tag)
            if split and split[1] == "status":
                assert event.step == len(statuses), "the step counts the events"
                (data,) = value.tensor.string_val
                assert [dim.size for dim in value.tensor.tensor_shape.dim] == [1]
                assert value.metadata.plugin_data.plugin_name == "gradascent"
                infos.append(value.metadata.plugin_data.content)
                statuses.append(Status.decode(data))
    assert b'"started"' in infos[0]
    assert not any(infos[1:]), "the constants are written once"
    return statuses


def codes(notices: tuple[Notice, ...]) -> list[str]:
    return [notice.code for notice in notices]


def test_the_first_status_is_there_when_the_hook_is_made(tmp_path: Path) -> None:
    names = ["a name that is long"] * 3
    hook = made(tmp_path, class_names=names, mean=0.5, std=0.25, every=7)
    (first,) = told(tmp_path)
    assert first == Status(every=7)
    (file,) = find_event_files(tmp_path)
    content = file.read_bytes()
    assert b"a name that is long" not in content
    assert b'"mean":[0.5]' in content
    hook.close()
    last = told(tmp_path)[-1]
    assert last.ended
    assert (last.steps, last.captured, last.least_margin) == (0, 0, None)


@pytest.mark.process
def test_a_killed_process_leaves_the_first_status(programs: ForkServer, tmp_path: Path) -> None:
    code = """
        import os, signal, sys
        from torch import nn
        from tb_gradascent import GradAscentHook
        hook = GradAscentHook(nn.Identity(), sys.argv[1])
        os.kill(os.getpid(), signal.SIGKILL)
    """
    programs.run(textwrap.dedent(code), tmp_path)
    (only,) = told(tmp_path)
    assert not only.ended


@pytest.mark.process
def test_a_program_that_ends_without_close_tells_its_end(
    programs: ForkServer, tmp_path: Path
) -> None:
    code = """
        import sys
        from torch import nn
        from tb_gradascent import GradAscentHook
        hook = GradAscentHook(nn.Identity(), sys.argv[1])
    """
    done: subprocess.CompletedProcess[str] = programs.run(textwrap.dedent(code), tmp_path)
    assert done.returncode == 0, done.stderr
    assert [status.ended for status in told(tmp_path)] == [False, True]


def test_the_counts_are_told_with_the_first_capture_and_at_the_end(tmp_path: Path) -> None:
    with made(tmp_path, top_k=2) as hook:
        for _ in range(10):
            hook(BATCH, logits_of(hook._capturer.model, BATCH))
            hook._capturer.writer.flush()
    statuses = told(tmp_path)
    first = next(status for status in statuses if status.steps)
    assert (first.steps, first.captured) == (1, 2)
    last = statuses[-1]
    assert (last.steps, last.captured, last.dropped, last.failed) == (10, 20, 0, 0)
    assert last.overhead > 0
    assert last.elapsed > 0
    assert last.every == 1
    margins = logits_of(hook._capturer.model, BATCH).softmax(1).topk(2, 1).values
    assert last.least_margin == pytest.approx((margins[:, 0] - margins[:, 1]).min().item())
    assert last.notices == hook.health == ()


def test_statuses_of_a_long_training_are_few_and_small(tmp_path: Path) -> None:
    with made(tmp_path, top_k=1, ascent=None, max_overhead=None) as hook:
        for _ in range(100):
            hook(BATCH, logits_of(hook._capturer.model, BATCH))
            hook._capturer.writer.flush()
    statuses = told(tmp_path)
    assert 5 <= len(statuses) <= 14
    steps = [status.steps for status in statuses]
    assert steps == sorted(steps)
    assert max(len(status.encode()) for status in statuses) < 300


def test_counts_are_told_again_after_a_part_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    seen = Status(steps=1)
    series = writer_module._StatusSeries("t", "s", DIGITS)
    series.mark(seen)
    later = Status(steps=1, failed=1)
    assert not series.is_due(later)
    now[0] += 29
    assert not series.is_due(later)
    now[0] += 2
    assert series.is_due(later)
    assert not series.is_due(seen), "nothing has changed"
    now[0] += 100_000
    series.mark(later)
    assert not series.is_due(seen)
    now[0] += 4000
    assert not series.is_due(seen), "a twentieth of the time has not passed"
    now[0] += 2000
    assert series.is_due(seen)


def test_a_new_notice_is_told_without_a_capture(tmp_path: Path) -> None:
    hook = made(tmp_path)
    hook._health.report("odd", "warning", "Something is odd.", "Mend it.", 3)
    hook._capturer.writer.flush()
    (notice,) = told(tmp_path)[-1].notices
    assert notice == Notice("odd", "warning", "Something is odd.", "Mend it.", 3)
    before = len(told(tmp_path))
    hook._health.report("odd", "warning", "Something is odd.", "Mend it.", 4)
    hook._capturer.writer.flush()
    assert len(told(tmp_path)) == before, "it is only counted"
    hook.close()
    assert told(tmp_path)[-1].notices[0].count == 2
    hook._health.report("late", "warning", "After the end.")
    hook._capturer.writer.flush()


def test_a_fault_is_told(tmp_path: Path) -> None:
    with made(tmp_path) as hook:
        hook(BATCH.int(), logits_of(hook._capturer.model, BATCH))
        hook._capturer.writer.flush()
        status = told(tmp_path)[-1]
        assert status.failed == 1
        (notice,) = status.notices
        assert (notice.code, notice.severity, notice.step) == (
            "capture-failed-ValueError",
            "error",
            0,
        )
        assert notice.message.startswith("A capture failed: ValueError: inputs must be a floating")


def test_each_kind_of_fault_is_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logits = logits_of(nn.Identity(), BATCH)
    with caplog.at_level(logging.WARNING, logger="tb_gradascent"), made(tmp_path) as hook:
        for _ in range(2):
            hook(BATCH.int(), logits)
            hook(BATCH.long(), logits)  # the same kind: only what follows ", got" differs
            hook(BATCH, logits[:2])
    assert codes(hook.health) == ["capture-failed-ValueError", "capture-failed-ValueError-2"]
    assert [notice.count for notice in hook.health] == [4, 2]
    assert len(caplog.records) == 2
    assert "logits must be" in caplog.messages[1].splitlines()[0]


def test_kinds_that_differ_in_numbers_are_one_and_there_are_not_many() -> None:
    health = Health(strict=True)
    for number in range(3):
        health.note_fault("capture", "A capture failed", RuntimeError(f"tried {number} MiB"))
    assert [notice.count for notice in health.notices] == [3]
    for letter in "abcdefghijklmnop":
        health.note_fault("capture", "A capture failed", RuntimeError(f"of kind {letter}"))
    assert len(health.notices) == 8
    assert sum(notice.count for notice in health.notices) == 19


class Switch:
    """Fails while it is on, and counts the attempts."""

    def __init__(self) -> None:
        self.on = True
        self.attempts: list[int] = []
        self.step = 0

    def __call__(self, model: nn.Module, x: Tensor) -> Tensor:
        if not self.attempts or self.attempts[-1] != self.step:
            self.attempts.append(self.step)
        if self.on:
            raise RuntimeError("out of memory")
        return logits_of(model, x)


def test_captures_that_fail_are_tried_less_often_until_one_succeeds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    switch = Switch()
    captured = {}
    with caplog.at_level(logging.INFO, logger="tb_gradascent"):
        with made(tmp_path, forward=switch, max_overhead=None) as hook:
            for switch.step in range(60):
                switch.on = switch.step < 40
                captured[switch.step] = hook(BATCH, logits_of(hook._capturer.model, BATCH))
    # Ten in a row, then after 2, 4, 8, 16 and 32 intervals. The last of these succeeds.
    assert switch.attempts[:14] == [*range(10), 11, 15, 23, 39]
    assert hook.stats.failed == 14
    assert [step for step, samples in captured.items() if samples] == []
    assert codes(hook.health) == ["capture-failed-RuntimeError", "captures-fail"]
    last = told(tmp_path)[-1]
    assert (last.failed, codes(last.notices)) == (14, codes(hook.health))


def test_a_success_restores_the_interval(tmp_path: Path) -> None:
    switch = Switch()
    with made(tmp_path, forward=switch, ascent=None, max_overhead=None) as hook:
        samples = {}
        for switch.step in range(40):
            switch.on = switch.step < 20
            samples[switch.step] = hook(BATCH, logits_of(hook._capturer.model, BATCH))
    assert switch.attempts == [*range(10), 11, 15, *range(23, 40)]
    assert [step for step, count in samples.items() if count] == list(range(23, 40))
    assert codes(hook.health)[1:] == ["captures-fail", "captures-succeed-again"]
    assert hook.health[-1].step == 23


def test_a_step_that_is_no_number_does_not_make_captures_rarer(tmp_path: Path) -> None:
    with made(tmp_path) as hook:
        for _ in range(50):
            hook(BATCH, None, step=0.5)  # type: ignore[arg-type]
        assert hook(BATCH, None, step=1) == 4


def test_nothing_confused_is_said_with_the_margin_that_would_do(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logits = sure(nn.Identity(), BATCH)
    with caplog.at_level(logging.WARNING, logger="tb_gradascent"):
        with made(tmp_path / "first", forward=sure) as hook:
            assert [hook(BATCH, logits) for _ in range(3)] == [0, 0, 0]
        (notice,) = hook.health
    assert (notice.code, notice.severity) == ("nothing-confused", "warning")
    assert "no sample of 3 batches" in notice.message
    least = told(tmp_path / "first")[-1].least_margin
    assert least is not None
    assert f"{least:.4g}" in notice.message
    assert told(tmp_path / "first")[-1].notices == (notice,)
    assert len(caplog.records) == 1
    wanted = float(notice.remedy.partition("ProbabilityMargin(")[2].partition(")")[0])
    assert least < wanted <= least + 0.011
    with made(tmp_path / "second", forward=sure, criterion=ProbabilityMargin(wanted)) as hook:
        assert hook(BATCH, logits) > 0
    assert hook.health == ()


@pytest.mark.parametrize("use", ["no call", "a probe", "a scan", "a capture"])
def test_nothing_is_said_of_a_hook_that_had_nothing_to_choose_from_or_chose(
    tmp_path: Path, use: str
) -> None:
    with made(tmp_path, every=10) as hook:
        if use == "a scan":
            assert hook.scan([BATCH]) == 4
        elif use == "a capture":
            assert hook(BATCH, logits_of(hook._capturer.model, BATCH)) == 4
            hook(BATCH, sure(hook._capturer.model, BATCH), step=10)
    assert hook.health == ()


def test_a_probe_is_not_confused_because_it_was_captured(tmp_path: Path) -> None:
    with made(tmp_path, forward=sure) as hook:
        hook.probe(BATCH[:1])
        assert hook(BATCH, sure(hook._capturer.model, BATCH)) == 1
    assert codes(hook.health) == ["nothing-confused"]


def test_other_criteria_are_told_the_margin_too(tmp_path: Path) -> None:
    with made(tmp_path, criterion=Misclassified()) as hook:
        logits = logits_of(hook._capturer.model, BATCH)
        hook(BATCH, logits, logits.argmax(1))
    assert codes(hook.health) == ["nothing-confused"]


def test_the_end_is_told_after_the_budget_is_spent(tmp_path: Path) -> None:
    images = torch.rand(4, 3, 64, 64)
    with made(tmp_path, budget_mb=0.05) as hook:
        for _ in range(3):
            hook(images, images.flatten(1)[:, :3])
            hook._capturer.writer.flush()
    last = told(tmp_path)[-1]
    assert last.ended
    assert (last.captured, last.dropped) == (12, 12)
    assert codes(last.notices) == ["budget-spent"]
    (file,) = find_event_files(tmp_path)
    assert file.stat().st_size <= 50_000


def test_captures_leave_room_for_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LONGEST_WAIT", 1e6)  # A busy machine writes slowly.
    budget = 100_000
    health = Health(strict=False)
    made = SampleWriter(
        tmp_path, DIGITS, budget, health=health, status=lambda: Status(notices=health.notices)
    )
    for samples in make_captures(200, samples=1, shape=(1, 8, 8)):
        made.put(ready_capture(samples))
    made.close()
    assert made.dropped
    assert made.size <= budget
    assert made.size > 0.9 * budget
    last = told(tmp_path)[-1]
    assert last.ended
    assert codes(last.notices) == ["budget-spent"]
    assert last.dropped == made.dropped


def test_faults_of_the_writing_thread_are_notices(tmp_path: Path) -> None:
    (capture,) = make_captures(1, samples=1)
    health = Health(strict=True)
    made = SampleWriter(tmp_path, DIGITS, 10**9, health=health)
    broken = ready_capture(capture)
    object.__setattr__(broken, "samples", lambda: 1 / 0)
    made.put(broken)
    made.close()
    assert isinstance(made.failure, ZeroDivisionError)
    (notice,) = health.notices
    assert notice.code == "write-failed-ZeroDivisionError"
    assert "could not be written and is lost: ZeroDivisionError" in notice.message


def test_a_forgotten_hook_is_closed(tmp_path: Path) -> None:
    earlier = set(threading.enumerate())
    hook = made(tmp_path)
    hook(BATCH, logits_of(hook._capturer.model, BATCH))
    own = set(threading.enumerate()) - earlier
    assert own
    gone = weakref.ref(hook._capturer.model)
    del hook
    gc.collect()
    assert gone() is None
    assert not any(thread.is_alive() for thread in own)
    assert told(tmp_path)[-1].ended


def test_a_store_has_the_first_status_at_once() -> None:
    store = "memory://statuses"
    hook = GradAscentHook(nn.Identity(), store)
    ((_, path),) = find_remote_files(RemotePath(store))
    with path.open("rb") as file:
        content = file.read()
    assert content.count(b'"least_margin"') == 1
    hook.close()
    with path.open("rb") as file:
        assert file.read().count(b'"ended":true') == 1


def test_ranks_that_record_nothing_tell_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with made(tmp_path, ranks="zero") as hook:
        hook(BATCH, logits_of(hook._capturer.model, BATCH))
    assert list(find_event_files(tmp_path)) == []


@pytest.mark.parametrize("evaluates", [False, True])
def test_a_hook_is_freed_without_a_garbage_collection(tmp_path: Path, evaluates: bool) -> None:
    """A cycle would keep the model until a collection, which may run on the writer's thread."""
    gc.disable()
    try:
        model = nn.Identity()
        hook = GradAscentHook(model, tmp_path, every=1, forward=logits_of, ascent=None)
        hook(BATCH, logits_of(model, BATCH))
        if evaluates:
            with hook.evaluation():
                hook(BATCH, logits_of(model, BATCH))
        copied = copy.deepcopy(hook)
        gone = [weakref.ref(each) for each in (model, hook, copied._health)]
        hook.close()
        del model, hook, copied
        assert [ref() for ref in gone] == [None] * 3
    finally:
        gc.enable()


def test_a_hook_that_the_writers_thread_collects_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten, collected = threading.Event(), threading.Event()
    encode = sample_codec.encode_sample

    def collect_first(*args: Any, **options: Any) -> tuple[bytes, bytes]:
        if not collected.is_set():
            assert forgotten.wait(60)
            gc.collect()
            collected.set()
        return encode(*args, **options)

    monkeypatch.setattr(writer_module, "encode_sample", collect_first)
    earlier = set(threading.enumerate())
    gc.disable()
    try:
        hook = made(tmp_path, max_overhead=None)
        vars(hook._capturer.model)["hook"] = hook  # a cycle
        for _ in range(3):
            hook(BATCH, logits_of(hook._capturer.model, BATCH))
        del hook
        forgotten.set()
        assert collected.wait(60)
    finally:
        gc.enable()
    for thread in set(threading.enumerate()) - earlier:
        thread.join()
    assert len(list(read_samples(tmp_path))) == 12
    assert told(tmp_path)[-1].ended
