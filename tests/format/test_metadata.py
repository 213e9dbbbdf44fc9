"""Series tags and session constants are read back, and damaged ones get defaults."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import locate_events
from tb_gradascent.format.metadata import SessionInfo
from testing.event_files import VERSION1

SESSIONS = st.from_regex(r"[0-9A-Za-z-]{1,64}", fullmatch=True)
SHORT_NAMES = st.text(min_size=1, max_size=64).filter(str.isprintable)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
CHANNELS = st.lists(FINITE, min_size=1, max_size=64).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    tag=st.text(min_size=1),
    kind=st.sampled_from(["payload", "index"]),
    session=SESSIONS,
    block=st.integers(0, 99_999_999),
)
def test_a_series_tag_splits_into_what_it_says(
    tag: str, kind: metadata.Kind, session: str, block: int
) -> None:
    series = metadata.series_tag(tag, kind, session, block)
    assert metadata.split_series_tag(series) == (tag, kind, session, block)


def test_the_first_block_of_a_series_has_no_number() -> None:
    assert metadata.series_tag("a", "index", "s") == "a/index/s"
    assert metadata.series_tag("a", "index", "s", 1) == "a/index/s.1"


@given(st.text() | st.from_regex(r"[a/]*(/index|/payload)?/[a-z-]*[.]?[0-9]*", fullmatch=True))
def test_a_split_series_tag_joins_to_the_same_text(text: str) -> None:
    parts = metadata.split_series_tag(text)
    if parts is not None:
        assert metadata.series_tag(*parts) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "index/s",
        "/index/s",
        "a/index/",
        "a/Index/s",
        "a/scalars/s",
        "a/index/s s",
        "a/index/s.0",
        "a/index/s.",
        "a/status/s.1",
        "loss",
    ],
)
def test_other_plugins_tags_are_not_ours(text: str) -> None:
    assert metadata.split_series_tag(text) is None


def test_new_session_names_differ_and_fit_into_a_series_tag() -> None:
    names = {metadata.new_session() for _ in range(100)}
    assert len(names) == 100
    for name in names:
        assert metadata.split_series_tag(f"a/index/{name}") == ("a", "index", name, 0)


@given(
    started=st.floats(0, 1e12),
    names=st.none() | st.lists(st.text(max_size=metadata.MAX_NAME_LENGTH)).map(tuple),
    mean=st.none() | CHANNELS,
    std=st.none() | CHANNELS,
    bounds=st.none() | st.tuples(CHANNELS, CHANNELS),
    ranked=st.just((None, None)) | st.tuples(st.integers(0, 7), st.integers(8, metadata.MAX_RANKS)),
    short_names=st.lists(SHORT_NAMES, max_size=4, unique=True).map(tuple),
    named=SHORT_NAMES,
)
def test_session_info_comes_back_as_it_was(
    started: float,
    names: tuple[str, ...] | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None,
    ranked: tuple[int | None, int | None],
    short_names: tuple[str, ...],
    named: str,
) -> None:
    info = SessionInfo(
        *(started, names, mean, std, bounds, *ranked),
        ascents=short_names,
        judges=short_names[:2],
        task=named,
        kind=named,
    )
    assert SessionInfo.decode(info.encode()) == info


def test_session_info_keeps_lone_surrogates() -> None:
    info = SessionInfo(class_names=("\ud800", "ok"))
    assert SessionInfo.decode(info.encode()) == info


@given(st.binary())
def test_arbitrary_bytes_leave_session_info_at_its_defaults(data: bytes) -> None:
    info = SessionInfo.decode(data)
    assert info.encode()


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(SessionInfo().to_json(), JSON)))
def test_arbitrary_fields_leave_session_info_usable(fields: dict[str, object]) -> None:
    info = SessionInfo.decode(json.dumps(fields).encode())
    json.dumps(info.to_json(), allow_nan=False)
    assert info.class_names is None or all(isinstance(name, str) for name in info.class_names)
    assert all(map(metadata.is_short_name, (*info.ascents, *info.judges, info.task, info.kind)))


def test_session_info_of_version_1_has_no_ascents_and_no_judges() -> None:
    (event,) = (event for _, event in locate_events(VERSION1) if event and event.summary.value)
    info = SessionInfo.decode(event.summary.value[1].metadata.plugin_data.content)
    assert (info.version, info.mean, info.std) == (1, (0.25,), (0.5,))
    assert (info.ascents, info.judges, info.task, info.kind) == ((), (), "single", "image")


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 100_000,
        b'{"started":' + b"9" * 400 + b"}",
        b'{"started":1e999}',
        b'{"version":' + b"9" * 5000 + b"}",
        b'{"mean":[NaN]}',
        b'{"bounds":[[1],"x"]}',
        b'{"mean":[]}',
        b'{"rank":2,"world_size":2}',
        b'{"rank":-1,"world_size":2}',
        b'{"rank":true,"world_size":2}',
        b'{"rank":0}',
        b'{"rank":0,"world_size":' + b"9" * 30 + b"}",
        b'{"mean":[' + b"1," * 64 + b"1]}",
        b'{"ascents":["a","b","c","d","e"]}',
        b'{"ascents":"abc"}',
        b'{"judges":["a","a"]}',
        b'{"judges":["a",7]}',
        b'{"judges":["a\\nb"]}',
        b'{"ascents":[""]}',
        b'{"task":["single"]}',
        b'{"task":"\\u0000"}',
        b'{"kind":"' + b"x" * 65 + b'"}',
        b'{"std":[0.5]' + b" " * metadata.MAX_SESSION_INFO_BYTES + b"}",
        b"\xff\xfe",
    ],
    ids=[
        *("deep", "huge", "overflow", "digits", "nan", "half", "none"),
        *("beyond", "negative", "true", "alone", "crowd", "65"),
        *("five", "text", "twice", "number", "line", "empty", "list", "nul", "wide"),
        *("long", "utf-16"),
    ],
)
def test_hostile_session_info_is_left_at_its_defaults(data: bytes) -> None:
    assert SessionInfo.decode(data) == SessionInfo()


def test_long_class_names_are_cut() -> None:
    name = "x" * metadata.MAX_NAME_LENGTH
    assert SessionInfo.decode(json.dumps({"class_names": [name + "y"]}).encode()).class_names == (
        name,
    )


def test_one_bad_field_does_not_hide_the_others() -> None:
    info = SessionInfo.decode(b'{"mean":"x","std":[0.5],"class_names":["a"],"started":3}')
    assert info == SessionInfo(started=3.0, std=(0.5,), class_names=("a",))


def test_session_info_that_is_too_long_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match=r"class_names must take .*, got .* shorten the names"):
        SessionInfo(class_names=("x" * metadata.MAX_SESSION_INFO_BYTES,)).encode()


@pytest.mark.parametrize(
    ("shape", "fits"),
    [
        ((1, 1, 1), True),
        ((4, 28, 28), True),
        ((5, 28, 28), False),
        ((3, 0, 28), False),
        ((1, 1), True),
        ((64, 1000), True),
        ((65, 1000), False),
        ((0, 1000), False),
        ((1, 0), False),
        ((1, 1 << 24), True),
        ((1, (1 << 24) + 1), False),
        ((1, 1 << 13, 1 << 13), False),
        ((10,), False),
        ((1, 2, 3, 4), False),
        ((), False),
    ],
    ids=str,
)
def test_a_sample_is_an_image_or_a_signal(shape: tuple[int, ...], fits: bool) -> None:
    assert metadata.is_sample_shape(shape) is fits


@pytest.mark.process
def test_the_view_side_never_imports_torch() -> None:
    code = """
import sys
for module in ("tb_gradascent", "tb_gradascent.plugin.routes", "tb_gradascent.reader"):
    __import__(module)
    assert "torch" not in sys.modules, f"{module} imports torch"
"""
    subprocess.run([sys.executable, "-c", code], check=True)
