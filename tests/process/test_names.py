"""Names that no hook writes: longer than any may be, and no text at all."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.data.provider import RunTagFilter

from tb_gradascent import read_samples
from tb_gradascent.format import metadata
from tb_gradascent.plugin.addresses import Address
from tb_gradascent.plugin.sample_store import SampleStore
from testing import index_reader
from testing.hostile import OVERLONG, write_overlong
from testing.sample_store import SCOPE, WatchedProvider, read_index
from testing.synthetic import make_captures, write_session
from testing.tensorboard_process import tensorboard


@contextlib.contextmanager
def served(logdir: Path, load_fast: str) -> Iterator[Callable[[str], bytes]]:
    """A TensorBoard, by what asks one of our routes."""
    with tensorboard(logdir, f"--load_fast={load_fast}") as address:

        def ask(path: str) -> bytes:
            with urllib.request.urlopen(f"{address}data/plugin/gradascent/{path}") as answer:
                return bytes(answer.read())

        yield ask


def test_a_tag_longer_than_a_hooks_is_nobodys() -> None:
    longest = "t" * metadata.MAX_NAME_LENGTH
    assert metadata.split_series_tag(f"{longest}/index/s") == (longest, "index", "s")
    assert metadata.split_series_tag(f"{longest}t/index/s") is None


def test_names_of_ten_thousand_characters_are_cut_counted_or_nobodys(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_overlong(tmp_path)
    (sample,) = read_samples(tmp_path)
    assert sample.id == "sound"
    assert sample.class_names == (OVERLONG[: metadata.MAX_NAME_LENGTH],) * 10
    assert "1 damaged" in caplog.text
    with pytest.raises(ValueError, match="tag must be recorded in logdir"):
        list(read_samples(tmp_path, tag=OVERLONG))


@pytest.mark.parametrize("load_fast", ["true", "false"])
def test_tensorboard_serves_what_stands_beside_them(tmp_path: Path, load_fast: str) -> None:
    write_overlong(tmp_path / "overlong")
    with served(tmp_path, load_fast) as ask:
        while not (runs := json.loads(ask("runs"))["runs"]):
            time.sleep(0.5)
        assert runs == [{"run": "overlong", "tags": ["confused"]}]
        known = "run=overlong&tag=confused"
        listed = json.loads(ask(f"index?{known}"))
        index = index_reader.read_index(listed, lambda part: ask(f"records?{known}&part={part}"))
        assert [each["id"] for each in index["samples"]] == ["sound"]
        assert index["counts"]["unreadable"] == 1
        names = {OVERLONG[: metadata.MAX_NAME_LENGTH]}
        assert [set(session["class_names"]) for session in index["sessions"]] == [names]
        with pytest.raises(urllib.error.HTTPError, match="404") as raised:
            ask(f"index?run=overlong&tag={urllib.parse.quote(OVERLONG)}")
        raised.value.close()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are text")
@pytest.mark.parametrize("load_fast", ["true", "false"])
def test_a_run_whose_name_is_no_text(tmp_path: Path, load_fast: str) -> None:
    """The default loader replaces what it cannot read; the other one ends its reading for good."""
    for name in (os.fsdecode(b"latin-1 \xe9"), "sound"):
        write_session(tmp_path / name, make_captures(1, 1), session="s", start=1.0)
    runs = [sample.run for sample in read_samples(tmp_path)]
    assert [os.fsencode(run) for run in runs] == [b"latin-1 \xe9", b"sound"]
    assert [sample.run for sample in read_samples(tmp_path, run=runs[0])] == runs[:1]
    shown = ["latin-1 \ufffd", "sound"] if load_fast == "true" else []
    with served(tmp_path, load_fast) as ask:
        while [run["run"] for run in json.loads(ask("runs"))["runs"]] != shown:
            time.sleep(0.5)
        for name in shown:
            index = json.loads(ask(f"index?run={urllib.parse.quote(name)}&tag=confused"))
            assert [session["captures"] for session in index["sessions"]] == [1]
        for name in ("%E9", "%ED%B3%A9"):
            with pytest.raises(urllib.error.HTTPError, match="404") as raised:
                ask(f"index?run={name}&tag=confused")
            raised.value.close()


@pytest.mark.parametrize("run", [os.fsdecode(b"latin-1 \xe9"), "\ud800", "\udc00\ud800", "a\0b"])
def test_a_run_whose_name_cannot_be_encoded_is_listed(tmp_path: Path, run: str) -> None:
    """Whatever a loader makes of a directory's name."""
    write_session(tmp_path / "sound", make_captures(1, 1), session="s", start=1.0)
    watched = WatchedProvider(tmp_path)
    for method in ("list_tensors", "read_tensors", "list_blob_sequences", "read_blob_sequences"):
        real = getattr(watched.original, method)

        def renamed(*args: Any, run_tag_filter: Any, real: Any = real, **kwargs: Any) -> Any:
            runs = ["sound"] if run_tag_filter.runs else None
            known = RunTagFilter(runs=runs, tags=run_tag_filter.tags)
            return {run: real(*args, run_tag_filter=known, **kwargs)["sound"]}

        watched.instead[method] = renamed
    store = SampleStore(watched)
    assert store.runs(SCOPE) == {run: ["confused"]}
    assert read_index(store, run)["run"] == run
    answer, complete = store.payloads(SCOPE, run, "confused", [Address("s", 0, 0)])
    assert complete
    assert len(b"".join(answer)) > 100
