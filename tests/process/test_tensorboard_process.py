"""The real ``tensorboard`` in its own process, with both of its loaders."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.data import server_ingester

from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.status import Status
from testing.index_reader import read_index
from testing.synthetic import DIGITS, make_captures, make_event, write_session
from testing.tensorboard_process import PATIENCE, wait_until

pytestmark = pytest.mark.process

LOADERS = {
    "fast": ["--load_fast=true"],
    "python, path prefix": ["--load_fast=false", "--path_prefix=/deep/board"],
}
CAPTURES = 1100
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
STARTED = r"TensorFlow installation not found|Serving TensorBoard on localhost|TensorBoard \d"
"""The lines that TensorBoard prints when it starts."""


@dataclasses.dataclass
class Served:
    """A running TensorBoard."""

    process: subprocess.Popen[bytes]
    logdir: Path
    log: Path
    address: str = ""

    def get(self, path: str, **query: str | list[str]) -> bytes:
        """Return the body of an answer. The path is relative to the address, as in a browser."""
        url = urllib.parse.urljoin(self.address, path)
        if query:
            url += "?" + urllib.parse.urlencode(query, doseq=True)
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            body = response.read()
        assert isinstance(body, bytes)
        return body

    def ask(self, route: str, **query: str | list[str]) -> Any:
        """Ask one of the plugin's routes, and return its JSON."""
        return json.loads(self.get(f"data/plugin/gradascent/{route}", **query))

    def listing(self) -> dict[str, Any]:
        """Return what TensorBoard tells its shell about the plugin."""
        listed: dict[str, Any] = json.loads(self.get("data/plugins_listing"))["gradascent"]
        return listed

    def index(self, run: str) -> dict[str, Any]:
        """Return a run's sessions and samples."""
        known = {"run": run, "tag": "confused"}
        return read_index(
            self.ask("index", **known),
            lambda part: self.get("data/plugin/gradascent/records", **known, part=part),
        )

    def runs(self) -> list[str]:
        """Return the runs that have records."""
        return [run["run"] for run in self.ask("runs")["runs"]]

    def captures(self, run: str) -> int:
        """Return how many captures of a run TensorBoard has read."""
        if run not in self.runs():
            return 0
        sessions = self.ask("index", run=run, tag="confused")["sessions"]
        return sum(session["captures"] for session in sessions)

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for what TensorBoard shows after a reload."""

        def holds_while_it_runs() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return holds()

        wait_until(holds_while_it_runs)


@pytest.fixture(scope="module", params=LOADERS)
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """A TensorBoard that started on an empty directory."""
    directory = tmp_path_factory.mktemp(request.param)
    logdir = directory / "logs"
    logdir.mkdir()
    log = directory / "stderr"
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir)]
    command += ["--port", "0", "--reload_interval", "1", *LOADERS[request.param]]
    with (
        log.open("wb") as stderr,
        subprocess.Popen(command, stdout=stderr, stderr=stderr, cwd=directory) as process,
    ):
        try:
            running = Served(process, logdir, log)
            running.until(lambda: " at http://" in log.read_text())
            address = re.search(r" at http://[^:]+:(\d+)(/\S*)", log.read_text())
            assert address is not None
            running.address = f"http://localhost:{address[1]}{address[2]}"
            yield running
        finally:
            process.terminate()


def addresses_of(index: dict[str, Any], samples: list[dict[str, Any]]) -> list[str]:
    return [
        f"{index['sessions'][s['session']]['session']}.{s['capture']}.{s['index']}" for s in samples
    ]


def read_payloads(served: Served, run: str, addresses: list[str]) -> list[tuple[int, bytes]]:
    answer = served.get(
        "data/plugin/gradascent/payloads", run=run, tag="confused", sample=addresses
    )
    parts = []
    while answer:
        status, length = struct.unpack_from("<II", answer)
        parts.append((status, answer[8 : 8 + length]))
        answer = answer[8 + length :]
    return parts


def test_the_fast_loader_is_installed() -> None:
    assert Path(server_ingester.get_server_binary().path).exists()


# This is the first test of each process. The others write to its log directory.
def test_the_plugin_is_inactive_until_data_appear(served: Served) -> None:
    assert served.listing()["enabled"] is False
    assert served.runs() == []
    told = [Status(), *(Status(steps=step) for step in range(1, 30))]
    write_session(served.logdir / "small", [], session="empty", start=1000.0, statuses=told)
    served.until(lambda: served.listing()["enabled"])
    assert served.listing()["tab_name"] == "Gradient Ascent"
    served.until(lambda: "small" in served.runs())
    served.until(lambda: served.index("small")["sessions"][0]["status"]["steps"] == 29)
    (session,) = served.index("small")["sessions"]
    assert (session["session"], session["captures"]) == ("empty", 0)
    assert session["status"]["wall_time"] == 1029.0
    write_session(served.logdir / "small", make_captures(2, 2))
    served.until(lambda: served.captures("small") == 2)
    assert [each["status"] is None for each in served.index("small")["sessions"]] == [False, True]


def test_the_page_is_served(served: Served) -> None:
    module = served.listing()["loading_mechanism"]["module_path"]
    assert b"render" in served.get(module)
    assert urllib.parse.urlsplit(module).path.startswith(urllib.parse.urlsplit(served.address).path)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str | None], Path]:
    """The ids of more captures than TensorBoard keeps by default, and the run that holds them."""
    run = tmp_path_factory.mktemp("many")
    captures = make_captures(CAPTURES, 1, shape=(1, 1, 1), targets=())
    write_session(run, captures)
    return [sample.id for (sample,) in captures], run


def test_everything_that_was_written_is_served_without_a_flag(
    served: Served, many: tuple[list[str | None], Path]
) -> None:
    ids, run = many
    shutil.copytree(run, served.logdir / "many")
    few = make_captures(30, 2, seed=3)
    write_session(served.logdir / "payloads", few)
    for seed, start in ((1, 1000.0), (2, 2000.0)):
        captures = make_captures(3, 1, seed=seed)[seed - 1 :]
        write_session(served.logdir / "restart", captures, start=start)
    write_session(served.logdir, make_captures(1, 1))
    write_session(served.logdir / "deep" / "er", make_captures(1, 1))

    served.until(lambda: served.captures("many") == CAPTURES)
    samples = served.index("many")["samples"]
    assert [sample["step"] for sample in samples] == [100 * n for n in range(CAPTURES)]
    assert [sample["id"] for sample in samples] == ids

    served.until(lambda: served.captures("payloads") == len(few))
    index = served.index("payloads")
    addresses = addresses_of(index, index["samples"])
    wanted = [(0, encode_sample(sample)[1]) for capture in few for sample in capture]
    # TensorBoard may read records a moment before their payloads.
    served.until(lambda: read_payloads(served, "payloads", addresses) == wanted)

    served.until(lambda: served.captures("restart") == 3 + 2)
    counts = {"samples": 3, "unreadable": 0, "superseded": 2, "dropped": 0}
    assert served.index("restart")["counts"] == counts

    served.until(lambda: served.runs()[:2] == [".", "deep/er"])
    assert served.runs() == sorted(served.runs())


def test_captures_appear_during_training(served: Served) -> None:
    captures = make_captures(3, 2, seed=4)
    file = EventFile(served.logdir / "live" / file_name("live"))
    for number, samples in enumerate(captures):
        encoded = [encode_sample(sample) for sample in samples]
        file.append(make_event("confused", "live", number, encoded, DIGITS, 1000.0 + number))
        served.until(lambda number=number: served.captures("live") == number + 1)  # type: ignore[misc]
        assert served.index("live")["counts"]["samples"] == 2 * (number + 1)
        address = f"live.{number}.1"
        payload = encoded[1][1]
        served.until(
            lambda address=address, payload=payload: (  # type: ignore[misc]
                read_payloads(served, "live", [address]) == [(0, payload)]
            )
        )
    file.close()


def test_a_bad_request_is_not_a_server_error(served: Served) -> None:
    for path, code in [
        ("index", 400),
        ("index?run=none&tag=none", 404),
        ("index?run=many", 400),
        ("index?run=%00%ff&tag=%ED%A0%80", 404),
        ("payloads?run=many&tag=confused&sample=x", 400),
        ("static/x/index.js", 404),
    ]:
        with pytest.raises(urllib.error.HTTPError) as raised:
            served.get("data/plugin/gradascent/" + path)
        assert raised.value.code == code
        assert json.loads(raised.value.read()).keys() == {"error"}


def test_slow_clients_do_not_delay_others(served: Served) -> None:
    """Half of them never end their request, and half never read the answer."""
    session = write_session(served.logdir / "slow", make_captures(30, 2))
    served.until(lambda: "slow" in served.runs())
    base = urllib.parse.urlsplit(served.address)
    path = f"{base.path}data/plugin/gradascent/payloads?run=slow&tag=confused"
    asked = path + "".join(f"&sample={session}.{n}.0" for n in range(30))
    with contextlib.ExitStack() as stack:
        for number in range(30):
            slow = stack.enter_context(socket.create_connection(("localhost", base.port or 0)))
            slow.sendall(f"GET {asked if number % 2 else '/'} HTTP/1.1\r\nHost: x\r\n".encode())
            if number % 2:
                slow.sendall(b"\r\n")
        assert "slow" in served.runs()
        assert served.get(asked.removeprefix(base.path))


@on_linux
def test_the_process_never_loaded_torch(served: Served) -> None:
    served.runs()
    maps = Path(f"/proc/{served.process.pid}/maps").read_text()
    assert "numpy" in maps
    assert "torch" not in maps


def test_tensorboard_logged_no_complaint(served: Served) -> None:
    lines = filter(None, served.log.read_text().splitlines())
    assert [line for line in lines if not re.match(STARTED, line)] == []


@on_linux
@pytest.mark.parametrize("served", ["fast"], indirect=True)
def test_the_answer_says_that_the_data_server_died(served: Served) -> None:
    write_session(served.logdir / "small", make_captures(1, 1))
    served.until(lambda: "small" in served.runs())
    pid = served.process.pid
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)
    for path in ("runs", "index?run=small&tag=confused"):
        with pytest.raises(urllib.error.HTTPError) as raised:
            served.get("data/plugin/gradascent/" + path)
        assert raised.value.code == 503
        assert "restart TensorBoard" in json.loads(raised.value.read())["error"]
    assert "Traceback" not in served.log.read_text()
