"""The writing thread writes all queued captures, and survives errors."""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from tb_gradascent import read_samples
from tb_gradascent.format import metadata
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.training import writer as writer_module
from tb_gradascent.training.writer import QUEUE_LENGTH, SampleWriter
from testing.fork_server import ForkServer
from testing.ready_capture import ready_capture
from testing.synthetic import DIGITS, make_captures


def stored_steps(directory: Path) -> list[int]:
    return [sample.step for sample in read_samples(directory)]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SampleWriter]:
    made = SampleWriter(tmp_path / "run", DIGITS, 10**9)
    yield made
    made.close()


def test_all_captures_are_written_in_order(writer: SampleWriter, tmp_path: Path) -> None:
    for samples in make_captures(3 * QUEUE_LENGTH, samples=2):
        writer.put(ready_capture(samples))
    writer.close()
    assert stored_steps(tmp_path) == [100 * n for n in range(3 * QUEUE_LENGTH) for _ in range(2)]


def test_flush_waits_until_the_file_is_written(writer: SampleWriter, tmp_path: Path) -> None:
    writer.put(ready_capture(make_captures(1, samples=3)[0]))
    writer.flush()
    assert len(stored_steps(tmp_path)) == 3


def test_closing_waits_for_samples_that_take_long_to_encode(
    writer: SampleWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scan has many samples, and the machine may be busy. The directory takes data all along."""

    def slowly(*args: Any, **options: Any) -> tuple[bytes, bytes]:
        time.sleep(0.1)
        return encode_sample(*args, **options)

    monkeypatch.setattr(writer_module, "encode_sample", slowly)
    monkeypatch.setattr(writer_module, "LONGEST_CLOSE", 0.5)
    for samples in make_captures(QUEUE_LENGTH, samples=1):
        writer.put(ready_capture(samples))
    writer.close()
    assert len(stored_steps(tmp_path)) == writer.written == QUEUE_LENGTH


def test_each_capture_is_one_event_payload_first_as_tensorboard_reads_it(
    writer: SampleWriter,
) -> None:
    for samples in make_captures(3, samples=2):
        writer.put(ready_capture(samples))
    writer.close()
    version, *events = EventFileLoader(str(writer.path)).Load()
    assert version.file_version == "brain.Event:2"
    events = [event for event in events if len(event.summary.value) == 2]
    assert [event.step for event in events] == [0, 1, 2]
    for event in events:
        kinds = []
        for value in event.summary.value:
            parts = metadata.split_series_tag(value.tag)
            assert parts is not None
            tag, kind, session, _ = parts
            assert (tag, session) == ("confused", writer.session)
            assert value.metadata.plugin_data.plugin_name == "gradascent"
            assert len(value.tensor.string_val) == 2
            kinds.append(kind)
        assert kinds == ["payload", "index"]


def test_a_long_session_goes_on_in_blocks(writer: SampleWriter) -> None:
    (samples,) = make_captures(1, samples=1, shape=(1, 2, 2))
    for _ in range(2 * 256 + 1):
        writer.put(ready_capture(samples))
    writer.close()
    numbers: dict[str, list[int]] = {}
    described: set[str] = set()
    for event in EventFileLoader(str(writer.path)).Load():
        for value in event.summary.value:
            if "/status/" not in value.tag and "/" in value.tag:
                numbers.setdefault(value.tag, []).append(event.step)
                if value.metadata.plugin_data.content:
                    described.add(value.tag)
    blocks = {"": range(256), ".1": range(256, 512), ".2": range(512, 513)}
    assert numbers == {
        f"confused/{kind}/{writer.session}{block}": [*steps]
        for block, steps in blocks.items()
        for kind in ("payload", "index")
    }
    assert described == {f"confused/index/{writer.session}"}


def test_the_file_sorts_before_any_other_event_file(writer: SampleWriter) -> None:
    others = ["events.out.tfevents.1700000000.host.1.0", "events.out.tfevents.0999.host"]
    assert Path(str(writer.path)).name < min(others)


def test_a_sample_that_cannot_be_stored_loses_only_its_capture(
    writer: SampleWriter, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    captures = make_captures(4, samples=1)
    for bad in captures[1:3]:
        object.__setattr__(bad[0], "id", "x" * 1000)
    with caplog.at_level(logging.WARNING):
        for samples in captures:
            writer.put(ready_capture(samples))
        writer.close()
    assert stored_steps(tmp_path) == [0, 300]
    assert len([r for r in caplog.records if "could not be written" in r.message]) == 1
    assert isinstance(writer.failure, ValueError)


@pytest.mark.process
def test_a_full_disk_loses_only_the_captures_that_do_not_fit(
    programs: ForkServer, tmp_path: Path
) -> None:
    """A limit on the size of files acts like a full disk for one process."""
    code = """
        import resource, signal, sys
        from pathlib import Path
        from tb_gradascent.training.writer import SampleWriter
        from testing.ready_capture import ready_capture
        from testing.synthetic import DIGITS, make_captures
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        writer = SampleWriter(Path(sys.argv[1]), DIGITS, 10**9)
        captures = make_captures(6, samples=2)
        for samples in captures[:2]:
            writer.put(ready_capture(samples))
        writer.flush()
        full = writer.path.stat().st_size + 1000
        resource.setrlimit(resource.RLIMIT_FSIZE, (full, resource.RLIM_INFINITY))
        for samples in captures[2:4]:
            writer.put(ready_capture(samples))
        writer.flush()
        assert isinstance(writer.failure, OSError), writer.failure
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        for samples in captures[4:]:
            writer.put(ready_capture(samples))
        writer.close()
    """
    done = programs.run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert stored_steps(tmp_path) == [0, 0, 100, 100, 400, 400, 500, 500]


@pytest.mark.process
@pytest.mark.parametrize(
    ("end", "status"), [("pass", 0), ("raise RuntimeError", 1), ("sys.exit(3)", 3)]
)
def test_queued_captures_are_written_when_the_program_ends(
    programs: ForkServer, tmp_path: Path, end: str, status: int
) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from tb_gradascent.training.writer import SampleWriter
        from testing.ready_capture import ready_capture
        from testing.synthetic import DIGITS, make_captures
        writer = SampleWriter(Path(sys.argv[1]), DIGITS, 10**9)
        for samples in make_captures(5, samples=1, shape=(3, 128, 128)):
            writer.put(ready_capture(samples))
        {end}
    """
    done = programs.run(code, tmp_path)
    assert done.returncode == status, done.stderr
    assert len(stored_steps(tmp_path)) == 5


@pytest.mark.process
def test_a_forked_child_neither_writes_nor_waits(programs: ForkServer, tmp_path: Path) -> None:
    code = """
        import os, sys
        from pathlib import Path
        from tb_gradascent.training.writer import SampleWriter
        from testing.ready_capture import ready_capture
        from testing.synthetic import DIGITS, make_captures
        writer = SampleWriter(Path(sys.argv[1]), DIGITS, 10**9)
        captures = make_captures(2, samples=1)
        writer.put(ready_capture(captures[0]))
        child = os.fork()
        if child == 0:
            writer.put(ready_capture(captures[1]))
            writer.flush()
            writer.close()
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        writer.close()
    """
    done = programs.run(code, tmp_path)
    assert done.returncode == 0, done.stderr
    assert stored_steps(tmp_path) == [0]


def test_a_forgotten_writer_leaves_no_thread_and_no_file_open(tmp_path: Path) -> None:
    """Other tests of this process may leave threads and files that end meanwhile."""
    threads = set(threading.enumerate())
    for number in range(20):
        made = SampleWriter(tmp_path / str(number), DIGITS, 10**9)
        made.put(ready_capture(make_captures(1, samples=1)[0]))
        del made
    gc.collect()
    assert set(threading.enumerate()) <= threads
    opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
    assert not [path for path in opened if path.is_relative_to(tmp_path)]
    assert stored_steps(tmp_path) == [0] * 20


def test_class_names_are_stored_once_per_session(tmp_path: Path) -> None:
    info = metadata.SessionInfo(class_names=("cat",) * 1000)
    made = SampleWriter(tmp_path, info, 10**9)
    for samples in make_captures(20, samples=1):
        made.put(ready_capture(samples))
    made.close()
    assert Path(str(made.path)).read_bytes().count(b'"cat","cat"') in (499, 500)
    assert all(sample.class_names == info.class_names for sample in read_samples(tmp_path))


def test_nan_and_infinity_are_stored(writer: SampleWriter, tmp_path: Path) -> None:
    sample = make_captures(1, samples=1)[0][0]
    sample.image[0, 0, 0] = np.nan
    sample.targets[0].gradient[0, 0, :2] = np.inf, -np.inf
    writer.put(ready_capture([sample]))
    writer.close()
    (back,) = read_samples(tmp_path)
    assert np.isnan(back.image[0, 0, 0])
    assert back.targets[0].gradient[0, 0, :2].tolist() == [np.inf, -np.inf]
