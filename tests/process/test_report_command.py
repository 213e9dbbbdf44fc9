"""``python -m tb_gradascent report``, and what a report file holds."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tb_gradascent import Sample, read_samples, report, report_html
from tb_gradascent.__main__ import main
from tb_gradascent.format.event_file import file_name
from tb_gradascent.format.status import Notice, Status
from testing.index_reader import read_rows
from testing.synthetic import DIGITS, make_captures, write_session

pytestmark = pytest.mark.process


def data_of(html: str) -> Any:
    (block,) = re.findall(r'<script type="application/json" id="report">(.*?)</script>', html)
    return json.loads(block)


def samples_in(html: str) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Return each sample's row by its run, tag and address."""
    found = {}
    for run, tag, answer in data_of(html)["newest"]:
        data = base64.b64decode(answer)
        size = int.from_bytes(data[:4], "little")
        index, rest = json.loads(data[8 : 8 + size]), data[8 + size :]
        for session, part in zip(index["sessions"], index["parts"], strict=True):
            name = session["session"]
            assert part == f"{name}.0.{session['captures']}"
            length = int.from_bytes(rest[12:16], "little")
            for row in read_rows(rest[16 : 16 + length]):
                found[run, tag, f"{name}.{row['capture']}.{row['index']}"] = row
            rest = rest[16 + length :]
        assert not rest
    return found


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tb_gradascent", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logdir = tmp_path_factory.mktemp("logs")
    notice = Notice("softmax-output", "warning", "It ends in Softmax.", "Return logits.", 0)
    captures = make_captures(6, 3, shape=(1, 6, 6))
    write_session(logdir / "a", captures, start=1000.0, statuses=[Status(notices=(notice,))])
    write_session(logdir / "b", make_captures(2, 2, shape=(1, 6, 6)), tag="other", start=1000.0)
    return logdir


def test_the_command_writes_a_report_and_says_how_large_it_is(logdir: Path, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    outcome = command("report", logdir, "-o", path, "--title", "A & B", "--limit", 7)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.startswith(f"{path}: 7 samples, 0.")
    html = path.read_text(encoding="utf-8")
    assert "<title>A &amp; B</title>" in html
    newest = sorted((s.step, s.wall_time) for s in read_samples(logdir))[-7:]
    assert sorted((s["step"], s["wall_time"]) for s in samples_in(html).values()) == newest


def test_the_command_fails_in_one_line(tmp_path: Path) -> None:
    outcome = command("report", tmp_path / "none", "-o", tmp_path / "report.html")
    assert outcome.returncode != 0
    assert outcome.stdout == ""
    assert re.fullmatch("error: logdir must be a directory.*\n", outcome.stderr)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["none"], "logdir must be a directory"),
        (["LOGDIR", "--run", "c"], "run must be recorded in logdir ('a', 'b'), got 'c'"),
        (["LOGDIR", "--tag", "c"], "tag must be recorded"),
        (["LOGDIR", "--pair", "0,99"], "at least one sample of the pair 0,99 to report, got none"),
        (["LOGDIR", "--pair", "seven"], "must be two classes such as 7,9, got 'seven'"),
        (["LOGDIR", "--pair", "0,99"], "the most frequent pairs there are "),
        (["LOGDIR", "--pair", "one,two,three"], "use their numbers if a name holds a comma"),
        (["LOGDIR", "--pair", "seven,"], "must be two classes such as 7,9, got 'seven,'"),
        (["LOGDIR", "--limit", "-1"], "limit must be at least 1, got -1"),
        (["LOGDIR", "--limit", "0"], "limit must be at least 1, got 0"),
        (["LOGDIR", "-o", "/none/report.html"], "in a folder that exists, got '/none/report.html'"),
        (["LOGDIR", "-o", "LOGDIR"], "output must be a file, got the folder "),
    ],
)
def test_what_cannot_be_reported_is_said_in_one_line(
    logdir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    problem: str,
) -> None:
    """In this process, because a program takes half a second to start."""
    arguments = [str(logdir) if word == "LOGDIR" else word for word in arguments]
    if "-o" not in arguments:
        arguments += ["-o", str(tmp_path / "report.html")]
    try:
        status: object = main(["report", *arguments])
    except SystemExit as ended:
        status = ended.code
    assert status
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


def test_a_pair_is_found_in_either_order(logdir: Path, tmp_path: Path) -> None:
    samples = list(read_samples(logdir))
    one, other = map(int, samples[0].classes[:2])
    wanted = [s for s in samples if {one, other} == {*map(int, s.classes[:2])}]
    for pair in ((one, other), (other, one)):
        assert report(logdir, tmp_path / "report.html", pair=pair) == len(wanted)


def test_a_pair_of_names_is_that_of_each_sessions_own_classes(tmp_path: Path) -> None:
    captures = make_captures(3, 3, shape=(1, 6, 6))
    names = ("tabby, tabby cat", *(f"class {number}" for number in range(1, 10)))
    other = dataclasses.replace(DIGITS, class_names=(*names[1:], names[0]))
    write_session(
        tmp_path / "a", captures, info=dataclasses.replace(DIGITS, class_names=names), start=1000.0
    )
    write_session(tmp_path / "b", captures, info=other, start=1000.0)
    samples = [sample for sample in read_samples(tmp_path) if sample.run == "a"]
    first, second = map(int, samples[0].classes[:2])
    chosen = names[first].partition(",")[0], names[second]
    wanted = 0
    for sample in read_samples(tmp_path):
        assert sample.class_names is not None
        told = {sample.class_names[index].partition(",")[0] for index in sample.classes[:2]}
        wanted += told == {*chosen}
    assert 0 < wanted < len(samples) * 2
    path = tmp_path / "report.html"
    outcome = command("report", tmp_path, "-o", path, "--pair", ",".join(chosen))
    assert outcome.stdout.startswith(f"{path}: {wanted} sample"), outcome.stderr


def test_records_arrays_and_notices_are_in_the_report_as_they_were_recorded(
    logdir: Path, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    report(logdir, path)
    html = path.read_text(encoding="utf-8")
    data = data_of(html)
    assert data["runs"]["runs"] == [
        {"run": "a", "tags": ["confused"], "empty_tags": []},
        {"run": "b", "tags": ["other"], "empty_tags": []},
    ]
    rows = samples_in(html)
    payloads = {tuple(key): base64.b64decode(text) for *key, text in data["payloads"]}
    assert rows.keys() == payloads.keys()
    assert len(rows) == 22
    assert {key: row["payload"]["bytes"] for key, row in rows.items()} == {
        key: len(payload) for key, payload in payloads.items()
    }
    (newest,) = [base64.b64decode(answer) for run, _, answer in data["newest"] if run == "a"]
    assert b"It ends in Softmax." in newest


def test_equal_reports_are_equal_files_and_the_nonce_is_theirs_alone(
    logdir: Path, tmp_path: Path
) -> None:
    def nonces(html: str) -> set[str]:
        return {*re.findall(r'nonce="([^"]+)"', html), *re.findall(r"'nonce-([^']+)'", html)}

    texts = []
    for title in ("one", "one", "two"):
        report(logdir, tmp_path / "report.html", title=title)
        texts.append((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert texts[0] == texts[1]
    assert len(nonces(texts[0])) == len(nonces(texts[2])) == 1
    assert nonces(texts[0]) != nonces(texts[2])


def test_damaged_arrays_are_left_out_of_the_report(tmp_path: Path) -> None:
    session = write_session(tmp_path / "run", make_captures(1, 2, shape=(3, 32, 32)), start=1000.0)
    file = tmp_path / "run" / file_name(session)
    data = bytearray(file.read_bytes())
    data[len(data) // 3] ^= 255
    file.write_bytes(data)
    try:
        report(tmp_path, tmp_path / "report.html")
    except ValueError:
        return  # TensorBoard's framing has a checksum too: the whole capture was lost.
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(data_of(html)["payloads"]) < 2


def test_samples_of_any_runs_become_one_report(logdir: Path) -> None:
    samples = [*read_samples(logdir, run="b"), *read_samples(logdir, run="a", step=0)]
    changed: Iterable[Sample] = [dataclasses.replace(samples[0], mean=(0.5,), std=(2.0,)), *samples]
    html = report_html(changed, title="<notebook>")
    assert "<title>&lt;notebook&gt;</title>" in html
    rows = samples_in(html)
    assert len(rows) == len(samples) + 1
    assert np.isclose(
        sorted(row["margin"] for row in rows.values()),
        sorted(sample.margin for sample in changed),
    ).all()
    assert len(data_of(html)["payloads"]) == len(rows)


def test_reports_need_no_torch() -> None:
    code = (
        "import sys, tb_gradascent.__main__, tb_gradascent; tb_gradascent.report_html([]);"
        "assert not {'torch', 'tqdm'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
