"""Names that no hook writes: too long, or not valid text."""

from __future__ import annotations

import json
import os
import sys
import urllib.error
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tensorboard.data.provider import RunTagFilter

from tb_gradascent import read_samples
from tb_gradascent.format import metadata
from tb_gradascent.plugin.addresses import Address
from tb_gradascent.plugin.sample_store import SampleStore
from testing import index_reader
from testing.board import Board
from testing.hostile import OVERLONG, write_overlong
from testing.sample_store import SCOPE, WatchedProvider, read_index
from testing.synthetic import make_captures, write_session
from testing.tensorboard_process import asker, tensorboard, wait_until

Ask = Callable[[str], bytes]


def runs(ask: Ask) -> list[str]:
    return [run["run"] for run in json.loads(ask("runs"))["runs"]]


def assert_not_found(ask: Ask, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404") as raised:
        ask(path)
    raised.value.close()


def test_a_tag_that_is_too_long_is_not_the_plugins() -> None:
    longest = "t" * metadata.MAX_NAME_LENGTH
    assert metadata.split_series_tag(f"{longest}/index/s") == (longest, "index", "s", 0)
    assert metadata.split_series_tag(f"{longest}t/index/s") is None


def test_names_of_ten_thousand_characters_are_cut_counted_or_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_overlong(tmp_path)
    (sample,) = read_samples(tmp_path)
    assert sample.id == "sound"
    assert sample.class_names == (OVERLONG[: metadata.MAX_NAME_LENGTH],) * 10
    assert "1 damaged" in caplog.text
    with pytest.raises(ValueError, match="tag must be recorded in logdir"):
        list(read_samples(tmp_path, tag=OVERLONG))


NOT_TEXT = os.fsdecode(b"latin-1 \xe9")
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="other systems' names are text")


def write_strange_names(logdir: Path) -> None:
    for name in (NOT_TEXT, "sound"):
        write_session(logdir / name, make_captures(1, 1), session="s", start=1.0)


def assert_sound_sample_is_served(ask: Ask) -> None:
    """Names of ten thousand characters do not hide the sound sample beside them."""
    tags = {run["run"]: run["tags"] for run in json.loads(ask("runs"))["runs"]}
    assert tags["overlong"] == ["confused"]
    known = "run=overlong&tag=confused"
    listed = json.loads(ask(f"index?{known}"))
    index = index_reader.read_index(listed, lambda part: ask(f"records?{known}&part={part}"))
    assert [each["id"] for each in index["samples"]] == ["sound"]
    assert index["counts"]["unreadable"] == 1
    names = {OVERLONG[: metadata.MAX_NAME_LENGTH]}
    assert [set(session["class_names"]) for session in index["sessions"]] == [names]
    assert_not_found(ask, f"index?run=overlong&tag={urllib.parse.quote(OVERLONG)}")


@pytest.mark.process
@on_linux
def test_the_fast_loader_serves_runs_with_strange_names(tmp_path: Path) -> None:
    """It replaces the bytes that are not text."""
    write_overlong(tmp_path / "overlong")
    write_strange_names(tmp_path)
    shown = ["latin-1 \ufffd", "overlong", "sound"]
    with tensorboard(tmp_path, "--load_fast=true") as address:
        ask = asker(address)
        wait_until(lambda: runs(ask) == shown)
        assert_sound_sample_is_served(ask)
        for name in ("latin-1 \ufffd", "sound"):
            index = json.loads(ask(f"index?run={urllib.parse.quote(name)}&tag=confused"))
            assert [session["captures"] for session in index["sessions"]] == [1]
        for name in ("%E9", "%ED%B3%A9"):
            assert_not_found(ask, f"index?run={name}&tag=confused")


def test_the_python_loader_serves_the_sound_sample_beside_overlong_names(
    tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    write_overlong(tmp_path / "overlong")
    assert_sound_sample_is_served(asker(serve_here(tmp_path).address))


@on_linux
def test_the_python_loader_ends_at_a_name_that_is_not_text_and_the_plugin_still_answers(
    tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    board = serve_here(tmp_path)
    write_strange_names(tmp_path)
    with pytest.raises(UnicodeEncodeError):
        board.read()
    ask = asker(board.address)
    assert runs(ask) == []
    for name in ("%E9", "%ED%B3%A9"):
        assert_not_found(ask, f"index?run={name}&tag=confused")


@on_linux
def test_read_samples_reads_a_run_whose_name_is_not_text(tmp_path: Path) -> None:
    write_strange_names(tmp_path)
    names = [sample.run for sample in read_samples(tmp_path)]
    assert [os.fsencode(name) for name in names] == [b"latin-1 \xe9", b"sound"]
    assert [sample.run for sample in read_samples(tmp_path, run=names[0])] == names[:1]


@pytest.mark.parametrize("run", [os.fsdecode(b"latin-1 \xe9"), "\ud800", "\udc00\ud800", "a\0b"])
def test_a_run_whose_name_cannot_be_encoded_is_listed(tmp_path: Path, run: str) -> None:
    """A loader may give the plugin any name."""
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
    assert store.runs(SCOPE) == [{"run": run, "tags": ["confused"], "empty_tags": []}]
    assert read_index(store, run)["run"] == run
    answer, complete = store.payloads(SCOPE, "confused", [(run, Address("s", 0, 0))])
    assert complete
    assert len(b"".join(answer)) > 100
