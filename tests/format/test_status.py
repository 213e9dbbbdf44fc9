"""A session's status, encoded and decoded, and what damage does to it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_gradascent import read_samples
from tb_gradascent.format.status import (
    MAX_NOTICE_LENGTH,
    MAX_NOTICES,
    MAX_STATUS_BYTES,
    Notice,
    Status,
)
from testing.synthetic import make_captures, write_session

NOTICE = Notice("softmax-output", "warning", "The model ends in Softmax.", "Return logits.", 7, 3)
STATUS = Status(
    notices=(NOTICE, Notice("hint", "info", "Fine.")),
    steps=1200,
    captured=48,
    dropped=4,
    failed=2,
    overhead=4.25,
    elapsed=525.5,
    unlimited=True,
    every=200,
    least_margin=0.0625,
    ended=True,
)

notices = st.builds(
    Notice,
    code=st.text("abc-", min_size=1, max_size=64),
    severity=st.sampled_from(["info", "warning", "error"]),
    message=st.text(min_size=1, max_size=MAX_NOTICE_LENGTH),
    remedy=st.text(max_size=MAX_NOTICE_LENGTH),
    step=st.none() | st.integers(-(2**52), 2**52),
    count=st.integers(1, 2**52),
)


def test_a_status_comes_back() -> None:
    assert Status.decode(STATUS.encode()) == STATUS
    assert Status.decode(Status().encode()) == Status()
    assert json.loads(STATUS.encode()) == json.loads(json.dumps(STATUS.to_json()))


@given(st.lists(notices, max_size=80))
def test_as_many_notices_come_back_as_fit(told: list[Notice]) -> None:
    data = Status(notices=tuple(told), steps=5).encode()
    assert len(data) <= MAX_STATUS_BYTES
    back = Status.decode(data)
    assert back.notices == tuple(told)[: len(back.notices)]
    assert back.steps == 5
    if len(told) <= 4:
        assert len(back.notices) == len(told)
    assert len(back.notices) <= MAX_NOTICES


def test_long_notices_are_left_out_from_the_end() -> None:
    long = tuple(Notice(f"n{n}", "error", "\N{SNOWMAN}" * 1000, "x" * 1000) for n in range(64))
    back = Status.decode(Status(notices=long).encode())
    assert 5 <= len(back.notices) < 64
    assert back.notices == long[: len(back.notices)]


BROKEN: dict[str, Any] = {
    "steps": [-1, 1.5, "1", None, True, 2**53, 10**400],
    "captured": [-1, [], {}],
    "dropped": [-1],
    "failed": [False],
    "overhead": [-1, "1", True, 1e300, None],
    "elapsed": [-0.5, [1]],
    "least_margin": [-0.1, 1.5, "0.5", True, 10**400],
    "ended": [1, "true", None],
    "notices": [5, {}, "x", [None], [{}], [{**dataclasses.asdict(NOTICE), "code": ""}]],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BROKEN.items() for value in values]
)
def test_a_malformed_field_gets_its_default(name: str, value: object) -> None:
    data = json.dumps({**STATUS.to_json(), name: value}).encode()
    default = getattr(Status(), name)
    assert Status.decode(data) == dataclasses.replace(STATUS, **{name: default})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("code", "x" * 65),
        ("code", "a\nb"),
        ("code", 5),
        ("severity", "fatal"),
        ("severity", None),
        ("message", ""),
        ("message", ["x"]),
    ],
)
def test_a_malformed_notice_is_left_out(name: str, value: object) -> None:
    broken = {**dataclasses.asdict(NOTICE), name: value}
    data = json.dumps({"notices": [broken, dataclasses.asdict(NOTICE)]}).encode()
    assert Status.decode(data).notices == (NOTICE,)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("remedy", 5, ""),
        ("remedy", "x" * 2000, "x" * MAX_NOTICE_LENGTH),
        ("message", "x" * 2000, "x" * MAX_NOTICE_LENGTH),
        ("step", 1.5, None),
        ("step", 2**60, None),
        ("count", 0, 1),
        ("count", "many", 1),
    ],
)
def test_a_notice_is_cut_to_what_may_be_shown(field: str, value: object, expected: object) -> None:
    data = json.dumps({"notices": [{**dataclasses.asdict(NOTICE), field: value}]}).encode()
    (notice,) = Status.decode(data).notices
    assert dataclasses.asdict(notice) == {**dataclasses.asdict(NOTICE), field: expected}


@pytest.mark.parametrize(
    "data", [b"", b"\xff", b"[]", b"5", b"null", b"[" * 60_000, b" " * MAX_STATUS_BYTES + b"{}", 5]
)
def test_what_is_no_status_is_an_empty_one(data: object) -> None:
    assert Status.decode(data) == Status()


@given(st.binary(max_size=200))
def test_no_data_raises(data: bytes) -> None:
    assert Status.decode(Status.decode(data).encode()) == Status.decode(data)


def test_the_reader_ignores_statuses(tmp_path: Path) -> None:
    write_session(tmp_path / "a", make_captures(2, 1), statuses=[STATUS] * 3)
    write_session(tmp_path / "b", [], statuses=[STATUS])
    assert [sample.run for sample in read_samples(tmp_path)] == ["a", "a"]
    assert list(read_samples(tmp_path, run="b")) == []
