"""Remote log directories: what is put into the store and when. All of it is read back."""

from __future__ import annotations

import logging
import posixpath
import queue
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import fsspec
import numpy as np
import pytest
import torch
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tb_gradascent import GradAscentHook, read_samples
from tb_gradascent.format import remote
from tb_gradascent.format.remote import RemoteEventFile, RemotePath, is_url
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.training import arguments
from testing.fork_server import ForkServer
from testing.networks import convolutional, digits
from testing.paths import ROOT
from testing.synthetic import DIGITS, make_captures, make_event
from testing.tensorboard_process import PATIENCE


class Store(MemoryFileSystem):  # type: ignore[misc]  # untyped
    """An object store. Objects are put as a whole, and a put can be made to fail.

    ``attempts`` receives an item after each put, also after a failed one.
    """

    protocol = "store"
    store: dict[str, Any] = {}  # noqa: RUF012
    pseudo_dirs = [""]  # noqa: RUF012
    puts: list[tuple[str, int]] = []  # noqa: RUF012
    fails = False
    attempts: queue.SimpleQueue[None] = queue.SimpleQueue()

    def pipe_file(self, path: str, value: bytes, **options: Any) -> None:
        try:
            if Store.fails:
                raise PermissionError("the store is closed")
            Store.puts.append((posixpath.basename(path), len(value)))
            super().pipe_file(path, value, **options)
        finally:
            Store.attempts.put(None)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        assert "a" not in mode, "objects cannot be appended to"
        return super()._open(path, mode, **options)


@pytest.fixture
def store() -> Iterator[str]:
    """A new, empty store; yields the URL of a directory in it."""
    fsspec.register_implementation("store", Store, clobber=True)
    Store.store.clear()
    Store.puts.clear()
    Store.fails = False
    Store.attempts = queue.SimpleQueue()
    yield "store://bucket/runs"
    Store.fails = False


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock for ``remote`` that only the test advances."""
    now = [1000.0]
    monkeypatch.setattr(remote, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def events(count: int, samples: int = 1, shape: tuple[int, ...] = (1, 28, 28)) -> Iterator[Any]:
    for number, capture in enumerate(make_captures(count, samples, shape=shape)):
        encoded = [encode_sample(sample) for sample in capture]
        yield make_event("confused", "s", number, encoded, DIGITS, 1.0 + number)


def train(log: Any, captures: int = 3) -> None:
    images, labels = digits()
    model = convolutional()
    with GradAscentHook(model, log, every=1, ascent=None, strict=True) as hook:
        for _ in range(captures):
            hook(images[:8], torch.zeros(8, 10), labels[:8], ids=range(8))


def test_samples_are_read_as_they_were_written(store: str, tmp_path: Path) -> None:
    train(f"{store}/deep/run")
    train(tmp_path / "deep" / "run")
    local = list(read_samples(tmp_path))
    for logdir, run in ((store, "deep/run"), (f"{store}/deep/run/", ".")):
        found = list(read_samples(logdir, run=run))
        assert len(found) == len(local) == 12
        for one, other in zip(local, found, strict=True):
            assert (one.step, one.index, one.id, one.label) == (
                other.step,
                other.index,
                other.id,
                other.label,
            )
            assert np.array_equal(one.image, other.image)
            assert np.array_equal(one.targets[0].gradient, other.targets[0].gradient)
            assert other.run == run


def test_the_memory_file_system_and_a_summary_writer_work() -> None:
    url = "memory://somewhere/run"
    train(SimpleNamespace(log_dir=url))
    assert {sample.run for sample in read_samples("memory://somewhere")} == {"run"}


def test_the_first_part_is_put_at_once(store: str) -> None:
    RemoteEventFile(RemotePath(store) / "events")
    assert [name for name, _ in Store.puts] == ["events"]


def test_events_wait_until_a_put_is_due(store: str, clock: Callable[[float], None]) -> None:
    file = RemoteEventFile(RemotePath(store) / "events")
    first, second, third = events(3)
    file.append(first)
    assert (len(Store.puts), file.due_in()) == (1, remote.PUT_SECONDS)
    clock(remote.PUT_SECONDS - 1)
    file.append(second)
    assert (len(Store.puts), file.due_in()) == (1, 1.0)
    clock(1)
    assert file.due_in() == 0
    file.append(third)
    assert (len(Store.puts), file.due_in()) == (2, None)
    assert Store.puts[-1][1] == file.size
    file.close()
    assert len(Store.puts) == 2, "nothing waits to be put"


def test_parts_are_event_files_of_limited_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Callable[[float], None]
) -> None:
    monkeypatch.setattr(remote, "PART_BYTES", 30_000)
    file = RemoteEventFile(RemotePath(tmp_path.as_uri()) / "deep" / "events.s")
    sizes: dict[str, set[int]] = {}
    for event in events(40):
        clock(20.0)
        file.append(event)
        for path in (tmp_path / "deep").iterdir():
            sizes.setdefault(path.name, set()).add(path.stat().st_size)
    file.close()
    names = sorted(sizes)
    assert names[:3] == ["events.s", "events.s.0001", "events.s.0002"]
    steps = []
    for name in names:
        path = tmp_path / "deep" / name
        version, *found = EventFileLoader(str(path)).Load()
        assert version.file_version == "brain.Event:2"
        steps += [event.step for event in found]
        assert max(sizes[name]) < 30_000 + 10_000
    assert steps == list(range(40))
    assert file.size == sum((tmp_path / "deep" / name).stat().st_size for name in names)


def test_the_docs_state_the_size_of_a_part_and_the_interval() -> None:
    page = (ROOT / "docs" / "devices.md").read_text(encoding="utf-8").replace("\n", " ")
    assert f"a series of parts of {remote.PART_BYTES >> 20} MB" in page
    assert f"at most every {remote.PUT_SECONDS:.0f} seconds" in page


def test_the_bytes_sent_are_bounded(store: str, clock: Callable[[float], None]) -> None:
    """Rewriting sends at most one part an interval, even if the captures are small."""
    file = RemoteEventFile(RemotePath(store) / "events")
    seconds = 0
    for event in events(400, shape=(1, 8, 8)):
        clock(10.0)
        seconds += 10
        file.append(event)
    file.close()
    sent = sum(size for _, size in Store.puts)
    assert len(Store.puts) <= seconds / remote.PUT_SECONDS + 2
    assert sent <= file.size + seconds / remote.PUT_SECONDS * remote.PART_BYTES


def test_waiting_captures_are_put_without_another_capture(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PUT_SECONDS", 0.3)
    images, _ = digits()
    with GradAscentHook(convolutional(), store, every=1, ascent=None, strict=True) as hook:
        for _ in range(3):
            hook(images[:8], torch.zeros(8, 10))
        while len(list(read_samples(store))) < 12:
            Store.attempts.get(timeout=PATIENCE)


def test_events_whose_put_fails_are_not_appended(
    store: str, clock: Callable[[float], None]
) -> None:
    file = RemoteEventFile(RemotePath(store) / "events")
    one, lost, other = events(3)
    file.append(one)
    before = file.size
    clock(remote.PUT_SECONDS)
    Store.fails = True
    with pytest.raises(PermissionError, match="the store is closed"):
        file.append(lost)
    assert file.size == before
    # The first event waits for the next put.
    assert file.due_in() == remote.PUT_SECONDS
    Store.fails = False
    clock(remote.PUT_SECONDS)
    file.append(other)
    file.close()
    name = "store://bucket/runs/events"
    with fsspec.open(name) as opened:
        assert len(opened.read()) == file.size


def test_an_error_of_the_store_is_logged_once_and_training_goes_on(
    store: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(remote, "PUT_SECONDS", 0.05)
    images, _ = digits()
    with caplog.at_level(logging.WARNING):
        with GradAscentHook(convolutional(), store, every=1, ascent=None) as hook:
            Store.fails = True
            Store.attempts = queue.SimpleQueue()
            for _ in range(5):
                assert hook(images[:8], torch.zeros(8, 10)) == 4
                Store.attempts.get(timeout=PATIENCE)
            Store.fails = False
            assert hook(images[:8], torch.zeros(8, 10)) == 4
        assert hook.stats.written + hook.stats.dropped == 24
        assert len(list(read_samples(store))) == hook.stats.written >= 4
    (record,) = caplog.records
    assert "could not be written" in record.getMessage()
    assert "the store is closed" in record.getMessage()


def test_an_error_at_the_end_is_logged(store: str, caplog: pytest.LogCaptureFixture) -> None:
    images, _ = digits()
    hook = GradAscentHook(convolutional(), store, ascent=None)
    hook(images[:8], torch.zeros(8, 10))
    Store.fails = True
    with caplog.at_level(logging.WARNING):
        hook.close()
    assert "The last captures could not be written and are lost" in caplog.text


@pytest.mark.process
def test_captures_are_put_at_the_interpreters_end_while_executors_still_run(
    programs: ForkServer, tmp_path: Path
) -> None:
    """Clients of stores need executors, and a hook that was not closed puts its last captures."""
    script = """
        import concurrent.futures, sys
        import torch
        from fsspec.implementations.local import LocalFileSystem
        from tb_gradascent import GradAscentHook
        from testing.networks import convolutional

        put = LocalFileSystem.pipe_file
        executor = concurrent.futures.ThreadPoolExecutor()
        LocalFileSystem.pipe_file = lambda *given: executor.submit(put, *given).result()
        hook = GradAscentHook(convolutional(), sys.argv[1])
        assert hook(torch.rand(4, 1, 8, 8), torch.zeros(4, 10)) == 4
        """
    done = programs.run(script, tmp_path.as_uri())
    assert done.returncode == 0, done.stderr
    assert len(list(read_samples(tmp_path))) == 4


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (
            "nosuch://bucket/runs",
            "the URL must be one that fsspec supports, got 'nosuch://bucket/runs'",
        ),
        (Path("s3://bucket/runs"), "a Path turns two slashes into one.*give 's3://bucket/runs'"),
    ],
)
def test_a_log_that_cannot_be_written_is_refused(log: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        GradAscentHook(convolutional(), log)


def test_a_read_only_store_is_refused(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(Store, "pipe_file", refuse)
    with pytest.raises(
        ValueError,
        match=r"log must be a directory that can be written, got 'store:.*: Store is read-only",
    ):
        GradAscentHook(convolutional(), store)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ValueError, match=r"'s3://bucket/runs' needs another package: .*s3fs"):
        GradAscentHook(convolutional(), "s3://bucket/runs")


def test_a_missing_directory_is_refused(store: str) -> None:
    with pytest.raises(FileNotFoundError, match="logdir must be a directory, got 'store://buck"):
        list(read_samples(f"{store}/nowhere"))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/runs", True),
        ("memory://", True),
        ("simplecache::gs://bucket/runs", True),
        ("runs/mnist", False),
        ("/data/a:b/runs", False),
        (r"C:\\runs", False),
        ("C:/runs", False),
        ("./s3://bucket", False),
        (Path("runs"), False),
    ],
)
def test_a_url_has_a_scheme(path: object, expected: bool) -> None:
    assert is_url(path) is expected


@given(st.text())
def test_a_local_path_is_not_a_url(text: str) -> None:
    if "://" not in text and ":/" not in text and "\0" not in text:
        assert arguments.log_directory(text) == Path(text)
