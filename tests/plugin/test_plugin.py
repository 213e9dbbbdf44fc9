"""Every route of TensorBoard's own WSGI application, in process, on real event files."""

from __future__ import annotations

import gzip
import json
import re
import struct
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tensorboard.backend import security_validator
from tensorboard.data.provider import DataProvider
from werkzeug.datastructures import Headers
from werkzeug.test import Client, TestResponse

import tb_gradascent
from tb_gradascent.format.status import Notice, Status
from tb_gradascent.plugin import data_source, plugin, routes, sample_store
from tb_gradascent.plugin.errors import UnavailableError
from tb_gradascent.plugin.loader import GradAscentLoader
from testing.arrivals import Arrivals
from testing.index_reader import read_rows
from testing.synthetic import make_captures, write_session
from testing.wsgi import PREFIX, serve

API = (Path(tb_gradascent.__file__).parent / "plugin" / "http_api.md").read_text(encoding="utf-8")
DOCUMENTED = "20261122T105626-1a2b3c4d"
METHODS = ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"]


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log directory with the runs that the examples of http_api.md name."""
    logdir = tmp_path_factory.mktemp("logs")
    notice = Notice("softmax-output", "warning", "It ends in Softmax.", "Return logits.", 0)
    status = Status(notices=(notice,), steps=1201, every=100, least_margin=0.002)
    write_session(logdir / "baseline", make_captures(13, 2), session=DOCUMENTED, statuses=[status])
    write_session(logdir / "dropout", make_captures(1, 1))
    (logdir / "scalars").mkdir()
    return logdir


@pytest.fixture(scope="module")
def client(logdir: Path) -> Client:
    return serve(logdir)


@pytest.fixture(autouse=True)
def no_complaints(monkeypatch: pytest.MonkeyPatch) -> None:
    def complain(message: str) -> None:
        pytest.fail(f"TensorBoard's security validator: {message}")

    monkeypatch.setattr(security_validator, "_maybe_raise_value_error", complain)


def get(client: Client, path: str, **options: Any) -> TestResponse:
    return client.get(PREFIX + path, **options)


def error_of(response: TestResponse) -> str:
    assert response.mimetype == "application/json"
    gzipped = response.headers.get("Content-Encoding") == "gzip"
    answer = json.loads(gzip.decompress(response.data) if gzipped else response.data)
    assert answer.keys() == {"error"}
    error = answer["error"]
    assert isinstance(error, str)
    assert "Traceback" not in error
    return error


def shape_of(value: object) -> object:
    """Return the keys and types of a JSON value. Of a list, only the first element counts."""
    if isinstance(value, dict):
        return {key: shape_of(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape_of(inner) for inner in value[:1]]
    if isinstance(value, bool) or value is None:
        return value if value is None else "boolean"
    return "number" if isinstance(value, int | float) else "text"


EXAMPLES = re.findall(r"```http\nGET (\S+)\n```\n(?:```json\n(.*?)```)?", API, re.DOTALL)


@pytest.mark.parametrize(("path", "answer"), EXAMPLES, ids=lambda text: text[:60])
def test_every_example_answers_as_documented(client: Client, path: str, answer: str) -> None:
    version = re.search(r"static/(.+)/", entry_module(client))
    assert version is not None
    path = re.sub(r"static/[^/]+/", f"static/{version[1]}/", path)
    response = client.get("/" + path)
    assert response.status_code == 200
    if answer:
        assert shape_of(response.json) == shape_of(json.loads(answer))


def test_every_route_is_documented_with_an_example(client: Client) -> None:
    headings = re.findall(r"^## `([^`]+)`", API, re.MULTILINE)
    assert headings == [
        "runs",
        "opening",
        "newest",
        "index",
        "records",
        "payloads",
        "report",
        "static/<version>/<file>",
    ]
    assert len(EXAMPLES) == len(headings)
    loaded = GradAscentLoader().load(Context())
    assert loaded is not None
    served = {route.split("/")[1] for route in loaded.get_plugin_apps()}
    assert served == {heading.split("/")[0] for heading in headings}
    entry = loaded.frontend_metadata().es_module_path
    assert entry in loaded.get_plugin_apps()


class Context:
    """The only part of TensorBoard's context that the plugin may use."""

    data_provider = object()


def test_the_documented_statuses_and_limits_match_the_code() -> None:
    payloads = API.split("## `payloads`")[1]
    statuses = [int(status) for status in re.findall(r"^\| (\d) \|", payloads, re.MULTILINE)]
    names = ("OK", "MISSING", "DAMAGED", "LEFT_OUT", "REFUSED")
    assert statuses == [getattr(data_source, name) for name in names]
    assert f"{sample_store.MAX_ANSWER_BYTES >> 20} MiB" in API
    assert f"up to {sample_store.MAX_PAYLOADS} samples" in API
    assert f"1 to {sample_store.MAX_RANGES} ranges" in API
    assert f"An answer holds at most {sample_store.MAX_RECORDS} records" in API


def test_slow_clients_share_one_copy_of_the_answer(tmp_path: Path) -> None:
    session = write_session(tmp_path, make_captures(75, 4, shape=(1, 1, 1)), start=1000.0)
    path = f"records?run=.&tag=confused&part={session}.0.75"
    client = serve(tmp_path)
    whole = get(client, path).data
    tracemalloc.start()
    try:
        slow = [get(client, path, buffered=False) for _ in range(10)]
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held < 5 * len(whole)
    assert all(response.content_length == len(whole) for response in slow)
    assert all(response.data == whole for response in slow)
    head = client.head(PREFIX + path)
    assert (head.content_length, head.data) == (len(whole), b"")


def test_runs_are_listed(client: Client) -> None:
    response = get(client, "runs")
    assert response.json == {
        "record_version": 3,
        "runs": [
            {"run": "baseline", "tags": ["confused"], "empty_tags": []},
            {"run": "dropout", "tags": ["confused"], "empty_tags": []},
        ],
    }
    assert response.headers["Cache-Control"] == "no-cache, must-revalidate"


def test_an_index_is_answered_with_and_without_gzip(client: Client) -> None:
    path = "index?run=baseline&tag=confused"
    plain = get(client, path)
    assert "Content-Encoding" not in plain.headers
    gzipped = get(client, path, headers={"Accept-Encoding": "gzip, br"})
    assert gzipped.headers["Content-Encoding"] == "gzip"
    assert len(gzipped.data) < len(plain.data)
    assert plain.json is not None
    assert [session["captures"] for session in plain.json["sessions"]] == [13]
    assert plain.mimetype == gzipped.mimetype == "application/json"


def test_a_signal_has_two_numbers_in_its_shape(tmp_path: Path) -> None:
    session = write_session(tmp_path / "run", make_captures(1, 1, shape=(12, 300)))
    client = serve(tmp_path)
    samples = read_rows(get(client, f"records?run=run&tag=confused&part={session}.0.1").data[16:])
    assert [sample["shape"] for sample in samples] == [[12, 300]]
    payloads = get(client, f"payloads?run=run&tag=confused&sample={session}.0.0")
    status, length = struct.unpack_from("<II", payloads.data)
    assert (status, length) == (data_source.OK, samples[0]["payload"]["bytes"])


def read_newest(response: TestResponse) -> list[tuple[dict[str, Any], bytes]]:
    """Return each run's index and rows."""
    answer, runs = response.data, []
    if response.headers.get("Content-Encoding") == "gzip":
        answer = gzip.decompress(answer)
    while answer:
        text, rows = struct.unpack_from("<II", answer)
        end = 8 + text + rows
        assert len(answer) >= end
        runs.append((json.loads(answer[8 : 8 + text]), answer[8 + text : end]))
        answer = answer[end:]
    return runs


@pytest.mark.parametrize("accepted", ["", "gzip, br", "gzip;q=0"])
def test_the_newest_records_of_several_runs_are_one_answer(client: Client, accepted: str) -> None:
    path = "newest?tag=confused&records=8&run=dropout&run=baseline&run=none"
    response = get(client, path, headers={"Accept-Encoding": accepted})
    assert response.mimetype == "application/octet-stream"
    assert response.headers.get("Content-Encoding") == ("gzip" if "br" in accepted else None)
    dropout, baseline, none = read_newest(response)
    for (index, rows), run, ranges in (
        (dropout, "dropout", ["0.1"]),
        (baseline, "baseline", ["11.13"]),
    ):
        listed = get(client, f"index?run={run}&tag=confused").json
        assert listed is not None
        (session,) = listed["sessions"]
        parts = [f"{session['session']}.{wanted}" for wanted in ranges]
        assert index == {**listed, "parts": parts}
        asked = "".join(f"&part={part}" for part in parts)
        assert rows == get(client, f"records?run={run}&tag=confused{asked}").data
    assert none[0].keys() == {"run", "tag", "error"}
    assert "has no tag" in none[0]["error"]
    assert none[1] == b""


def test_the_newest_records_are_taken_from_the_end_of_the_last_sessions(tmp_path: Path) -> None:
    for session, captures in (("old", 5), ("new", 3)):
        start = {"old": 1000.0, "new": 2000.0}[session]
        write_session(tmp_path, make_captures(captures, 2), session=session, start=start)
    client = serve(tmp_path)
    for records, parts in [
        (0, []),
        (1, ["new.2.3"]),
        (4, ["new.1.3"]),
        (7, ["new.0.3", "old.4.5"]),
        (4096, ["new.0.3", "old.0.5"]),
    ]:
        ((index, _),) = read_newest(get(client, f"newest?run=.&tag=confused&records={records}"))
        assert index["parts"] == parts


def test_a_fresh_page_gets_the_runs_and_their_newest_records_at_once(client: Client) -> None:
    listed, *answers = read_newest(get(client, "opening?most=10&records=8"))
    assert listed == (get(client, "runs").json, b"")
    runs = [run["run"] for run in listed[0]["runs"] if "confused" in run["tags"]]
    assert len(runs) > 1
    asked = "".join(f"&run={run}" for run in runs)
    assert answers == read_newest(get(client, f"newest?tag=confused&records=8{asked}"))
    (_, only) = read_newest(get(client, "opening?most=1&records=8"))
    assert only == read_newest(get(client, f"newest?tag=confused&records=8&run={runs[0]}"))[0]
    assert len(read_newest(get(client, "opening?most=0&records=8"))) == 1


def test_a_fresh_page_gets_the_first_tag_with_captures(tmp_path: Path) -> None:
    client = serve(tmp_path)
    assert read_newest(get(client, "opening?most=10&records=8")) == [
        ({"record_version": 3, "runs": []}, b"")
    ]
    write_session(tmp_path / "a", make_captures(1, 1), tag="second")
    write_session(tmp_path / "b", make_captures(1, 1), tag="third")
    client = serve(tmp_path)
    (_, (index, _)) = read_newest(get(client, "opening?most=10&records=8"))
    assert (index["run"], index["tag"]) == ("a", "second")


def test_a_head_request_for_the_newest_has_no_body(client: Client) -> None:
    path = "newest?tag=confused&records=8&run=dropout"
    assert client.head(PREFIX + path).data == b""


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("run=a&tag=b", "records must be given exactly once"),
        ("run=a&tag=b&records=-1", "records must be a number from 0 to 4096, got '-1'"),
        ("run=a&tag=b&records=4097", "got '4097'"),
        ("run=a&tag=b&records=1e3", "got '1e3'"),
        ("tag=b&records=1", "run must be given 1 to 64 times, got 0"),
        ("tag=b&records=1" + 65 * "&run=a", "run must be given 1 to 64 times, got 65"),
        ("run=a&records=1", "tag must be given exactly once"),
    ],
)
def test_a_wrong_request_for_the_newest_is_refused(
    client: Client, query: str, problem: str
) -> None:
    response = get(client, f"newest?{query}")
    assert response.status_code == 400
    assert problem in error_of(response)


def test_samples_of_several_runs_are_one_answer(client: Client) -> None:
    index = get(client, "index?run=dropout&tag=confused").json
    assert index is not None
    other = index["sessions"][0]["session"]
    one = get(client, f"payloads?run=baseline&tag=confused&sample={DOCUMENTED}.3.1").data
    two = get(client, f"payloads?run=dropout&tag=confused&sample={other}.0.0").data
    runs = "payloads?tag=confused&run=dropout&run=baseline"
    asked = f"{runs}&sample=1.{DOCUMENTED}.3.1&sample=0.{other}.0.0&sample=1.{other}.0.0"
    missing = struct.pack("<II", data_source.MISSING, 0)
    assert get(client, asked).data == one + two + missing
    for address in (f"{DOCUMENTED}.3.1", f"2.{DOCUMENTED}.3.1", f"-1.{DOCUMENTED}.3.1", ""):
        response = get(client, f"{runs}&sample={address}")
        assert response.status_code == 400
        assert "sample must" in error_of(response)


def test_a_report_is_a_file_to_save(client: Client) -> None:
    """The browser must not show it: its scripts would have the origin of TensorBoard."""
    response = get(client, f"report?tag=confused&run=baseline&sample={DOCUMENTED}.3.1")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"] == "attachment; filename=report.html"


def test_only_complete_payloads_may_be_cached(client: Client) -> None:
    path = f"payloads?run=baseline&tag=confused&sample={DOCUMENTED}."
    whole = get(client, path + "12.0")
    assert whole.headers.getlist("Cache-Control") == ["private, max-age=31536000, immutable"]
    assert whole.mimetype == "application/octet-stream"
    assert "Content-Encoding" not in whole.headers
    status, length = struct.unpack_from("<II", whole.data)
    assert (status, length) == (data_source.OK, len(whole.data) - 8)
    missing = get(client, path + "13.0")
    assert missing.status_code == 200
    assert missing.data == struct.pack("<II", data_source.MISSING, 0)
    assert missing.headers.getlist("Cache-Control") == ["no-cache, must-revalidate"]


def test_a_request_may_name_as_many_payloads_as_documented(client: Client) -> None:
    path = "payloads?run=baseline&tag=confused"
    one = f"&sample={DOCUMENTED}.3.1"
    most = get(client, path + one * sample_store.MAX_PAYLOADS)
    assert most.status_code == 200
    assert "1 to 256 times" in error_of(get(client, path + one * (sample_store.MAX_PAYLOADS + 1)))


@pytest.mark.process
def test_modules_that_read_data_are_imported_at_the_first_request() -> None:
    # Every import would slow down TensorBoard's start, even if no run holds samples.
    code = """
import sys, tempfile
from testing.wsgi import PREFIX, serve
with tempfile.TemporaryDirectory() as logdir:
    client = serve(logdir)
    assert client.get("/data/plugins_listing").status_code == 200
    loaded = {name for name in sys.modules if name.startswith("tb_gradascent.")}
    plugin = ("", ".errors", ".loader", ".assets", ".responses", ".plugin")
    names = {"version", "format", "format.metadata"} | {f"plugin{name}" for name in plugin}
    assert loaded == {f"tb_gradascent.{name}" for name in names}, loaded
    assert client.get(PREFIX + "runs").json["runs"] == []
    assert "tb_gradascent.plugin.sample_store" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_simultaneous_first_requests_share_one_store(
    logdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[object] = []
    arrivals = Arrivals(8)
    monkeypatch.setattr(plugin, "threading", SimpleNamespace(Lock=arrivals.make_lock))

    class Counted(sample_store.SampleStore):
        def __init__(self, data_provider: DataProvider) -> None:
            made.append(self)
            assert arrivals.complete.wait(60), "all requests must wait for the first"
            super().__init__(data_provider)

    def ask(_: int) -> int:
        return get(fresh, "runs").status_code

    monkeypatch.setattr(routes, "SampleStore", Counted)
    fresh = serve(logdir)
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(ask, range(8))] == [200] * 8
    assert len(made) == 1


def entry_module(client: Client) -> str:
    listing = client.get("/data/plugins_listing").json
    assert listing is not None
    mechanism = listing["gradascent"]["loading_mechanism"]
    assert mechanism["type"] == "IFRAME"
    assert isinstance(mechanism["module_path"], str)
    return mechanism["module_path"]


def test_the_page_is_served_with_its_type_and_may_be_cached(client: Client) -> None:
    response = client.get(entry_module(client))
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers.getlist("Cache-Control") == ["private, max-age=31536000, immutable"]
    assert "Expires" not in response.headers
    assert "ETag" not in response.headers


def test_the_plugin_entry_page_imports_the_entry_module(client: Client) -> None:
    page = client.get("/data/plugin_entry.html?name=gradascent").text
    assert json.dumps("." + entry_module(client).removeprefix(PREFIX.rstrip("/"))) in page


def test_the_plugin_is_active_only_if_there_is_data(client: Client, tmp_path: Path) -> None:
    for tensorboard, active in [(client, True), (serve(tmp_path), False)]:
        listing = tensorboard.get("/data/plugins_listing").json
        assert listing is not None
        assert listing["gradascent"]["enabled"] is active
        assert listing["gradascent"]["tab_name"] == "Gradient Ascent"


def test_the_routes_answer_without_data(tmp_path: Path) -> None:
    empty = serve(tmp_path)
    assert get(empty, "runs").json == {"record_version": 3, "runs": []}
    assert get(empty, "index?run=a&tag=b").status_code == 404
    assert get(empty, "payloads?run=a&tag=b&sample=s.0.0").status_code == 404


def test_all_routes_work_below_a_path_prefix(logdir: Path) -> None:
    client = serve(logdir, "--path_prefix", "/static/board")
    listing = client.get("/static/board/data/plugins_listing").json
    assert listing is not None
    entry = listing["gradascent"]["loading_mechanism"]["module_path"]
    assert entry.startswith("/static/board" + PREFIX)
    assert client.get(entry).status_code == 200
    assert client.get("/static/board" + PREFIX + "runs").status_code == 200


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("index", 400, "run must be given exactly once, got 0 values"),
        ("index?run=baseline", 400, "tag must be given exactly once"),
        ("index?run=a&run=b&tag=c", 400, "run must be given exactly once, got 2 values"),
        ("index?run=baseline&tag=a&tag=a", 400, "tag must be given exactly once"),
        ("index?run=none&tag=confused", 404, "run 'none' has no tag 'confused'"),
        ("index?run=baseline&tag=", 404, "run 'baseline' has no tag ''"),
        ("index?run=../baseline&tag=confused", 404, "has no tag"),
        ("index?run=%FF%00&tag=%ED%A0%80", 404, "has no tag"),
        ("index?run=" + "x" * 60000 + "&tag=confused", 404, "has no tag"),
        ("records?run=baseline&tag=confused", 400, "part must be given 1 to 256 times"),
        ("records?run=baseline&tag=confused&part=a.0", 400, "part must be <session>.<first>.<end>"),
        ("records?run=none&tag=confused&part=a.0.1", 404, "has no tag"),
        ("payloads?run=baseline&tag=confused", 400, "sample must be given 1 to 256 times"),
        ("payloads?run=baseline&sample=a.0.0", 400, "tag must be given"),
        ("payloads?run=baseline&tag=confused&sample=", 400, "sample must be <session>"),
        ("payloads?run=baseline&tag=confused&sample=a.b.c", 400, "'a.b.c'"),
        ("payloads?run=baseline&tag=confused&sample=a.0.0&sample=..%2f", 400, "sample must be"),
        ("payloads?run=none&tag=confused&sample=a.0.0", 404, "has no tag"),
        ("static/index.js", 404, "no such file"),
        ("static/0.0.0/index.js", 404, "no such file"),
        ("static/../../../../etc/passwd", 404, "no such file"),
        ("static/%2e%2e/%2e%2e/setup.py", 404, "no such file"),
        ("static/%00", 404, "no such file"),
    ],
)
def test_a_wrong_request_is_answered_with_a_message(
    client: Client, path: str, code: int, message: str
) -> None:
    response = get(client, path)
    assert response.status_code == code
    assert message in error_of(response)
    assert f"{code} for" in API


ROUTES = [
    "runs",
    "index?run=baseline&tag=confused",
    f"records?run=baseline&tag=confused&part={DOCUMENTED}.0.13",
    "payloads?run=a&tag=b&sample=s.0.0",
    "static/x",
]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("method", METHODS)
def test_other_methods_are_refused(client: Client, path: str, method: str) -> None:
    with warnings.catch_warnings():
        # Werkzeug's lint warns of methods that it does not know.
        warnings.simplefilter("ignore")
        response = client.open(PREFIX + path, method=method)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD"
    assert method in error_of(response)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_head_has_the_headers_of_get(client: Client, encoding: str) -> None:
    sample = f"payloads?run=baseline&tag=confused&sample={DOCUMENTED}.12.0"
    entry = entry_module(client).removeprefix(PREFIX)
    for path in [*ROUTES[:3], sample, entry, "index", "static/x"]:
        headers = {"Accept-Encoding": encoding}
        got = get(client, path, headers=headers)
        head = client.head(PREFIX + path, headers=headers)
        assert head.status_code == got.status_code
        assert head.data == b""
        assert without_dates(head.headers) == without_dates(got.headers)


def without_dates(headers: Headers) -> list[tuple[str, str]]:
    return sorted((name, value) for name, value in headers if name not in ("Date", "Expires"))


def test_a_dead_data_server_is_a_503(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise UnavailableError("TensorBoard's data server does not answer (X)")

    monkeypatch.setattr(sample_store.SampleStore, "runs", fail)
    response = get(client, "runs")
    assert response.status_code == 503
    assert "does not answer" in error_of(response)
    assert "503 while" in API


@given(
    route=st.sampled_from(
        ["runs", "opening", "newest", "index", "records", "payloads", "report", "static/x"]
    ),
    names=st.lists(st.sampled_from(["run", "tag", "sample", "part", "x"]), max_size=5),
    values=st.lists(
        st.text(st.characters(exclude_categories=["Cs"]))
        | st.sampled_from(["baseline", "confused"]),
        min_size=5,
        max_size=5,
    ),
    headers=st.dictionaries(
        st.sampled_from(["Accept-Encoding", "Range", "If-None-Match", "If-Modified-Since"]),
        st.text(st.characters(min_codepoint=33, max_codepoint=126)),
    ),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_request_causes_a_server_error(
    client: Client, route: str, names: list[str], values: list[str], headers: dict[str, str]
) -> None:
    query = list(zip(names, values, strict=False))
    response = get(client, route, query_string=dict(query), headers=headers)
    assert response.status_code in (200, 400, 404)
    if response.status_code != 200:
        assert error_of(response)


Damage = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:5000] + b"\0" * 100 + whole[5100:],
        lambda whole: whole[:-1],
        lambda whole: b"",
        lambda whole: bytes(len(whole)),
    ],
    ids=["half", "hole", "torn", "empty", "zeros"],
)
def test_a_damaged_event_file_causes_no_server_error(tmp_path: Path, damage: Damage) -> None:
    write_session(tmp_path / "good", make_captures(2, 1))
    write_session(tmp_path / "bad", make_captures(6, 2))
    (path,) = (tmp_path / "bad").iterdir()
    path.write_bytes(damage(path.read_bytes()))
    client = serve(tmp_path)
    runs = get(client, "runs").json
    assert runs is not None
    assert "good" in [run["run"] for run in runs["runs"]]
    assert get(client, "index?run=bad&tag=confused").status_code in (200, 404)
    assert get(client, "index?run=good&tag=confused").status_code == 200
