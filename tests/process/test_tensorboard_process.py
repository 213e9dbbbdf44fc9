"""The real ``tensorboard`` in its own process, with both of its loaders and no flag of ours."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
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
from testing.index_reader import read_index
from testing.synthetic import DIGITS, make_captures, make_event, write_session

LOADERS = {
    "fast": ["--load_fast=true"],
    "py": ["--load_fast=false"],
    "prefix": ["--load_fast=false", "--path_prefix=/deep/board"],
}
CAPTURES = 1500
on_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc about processes")
PATIENCE = 120
"""Seconds until a test gives up on what a loaded machine does late."""


@dataclasses.dataclass
class Served:
    """A running TensorBoard."""

    process: subprocess.Popen[bytes]
    logdir: Path
    log: Path
    address: str = ""

    def get(self, path: str, **query: str | list[str]) -> bytes:
        """The body of an answer, read as a browser reads it: relative to the address."""
        url = urllib.parse.urljoin(self.address, path)
        if query:
            url += "?" + urllib.parse.urlencode(query, doseq=True)
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            body = response.read()
        assert isinstance(body, bytes)
        return body

    def ask(self, route: str, **query: str | list[str]) -> Any:
        """One of our routes, as JSON."""
        return json.loads(self.get(f"data/plugin/gradascent/{route}", **query))

    def listing(self) -> dict[str, Any]:
        """What TensorBoard's page is told of the plugin."""
        listed: dict[str, Any] = json.loads(self.get("data/plugins_listing"))["gradascent"]
        return listed

    def index(self, run: str) -> dict[str, Any]:
        """A run's sessions and samples."""
        known = {"run": run, "tag": "confused"}
        return read_index(
            self.ask("index", **known),
            lambda part: self.get("data/plugin/gradascent/records", **known, part=part),
        )

    def runs(self) -> list[str]:
        """The runs that have records."""
        return [run["run"] for run in self.ask("runs")["runs"]]

    def until(self, holds: Callable[[], bool]) -> None:
        """Waits for what the next reload should show."""
        deadline = time.monotonic() + PATIENCE
        while not holds():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)


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


def test_the_fast_loader_is_really_tested() -> None:
    assert Path(server_ingester.get_server_binary().path).exists()


# The first test of each process: the others write to its directory.
def test_without_data_the_plugin_is_inactive(served: Served) -> None:
    assert served.listing()["enabled"] is False
    assert served.runs() == []


def test_data_that_appears_activates_the_plugin(served: Served) -> None:
    write_session(served.logdir / "small", make_captures(2, 2))
    served.until(lambda: served.listing()["enabled"])
    assert served.listing()["tab_name"] == "Gradient Ascent"
    served.until(lambda: "small" in served.runs())


def test_the_page_is_there(served: Served) -> None:
    module = served.listing()["loading_mechanism"]["module_path"]
    assert b"render" in served.get(module)
    assert urllib.parse.urlsplit(module).path.startswith(urllib.parse.urlsplit(served.address).path)


def test_every_one_of_many_captures_is_served_without_a_flag(served: Served) -> None:
    captures = make_captures(CAPTURES, 1, shape=(1, 4, 4))
    write_session(served.logdir / "many", captures)

    served.until(lambda: "many" in served.runs())
    served.until(lambda: served.index("many")["counts"]["samples"] == CAPTURES)
    samples = served.index("many")["samples"]
    assert [sample["step"] for sample in samples] == [100 * n for n in range(CAPTURES)]
    assert [sample["id"] for sample in samples] == [captures[n][0].id for n in range(CAPTURES)]


def test_payloads_are_the_bytes_that_were_written(served: Served) -> None:
    captures = make_captures(30, 2, seed=3)
    write_session(served.logdir / "payloads", captures)
    served.until(lambda: "payloads" in served.runs())
    served.until(lambda: served.index("payloads")["counts"]["samples"] == 60)
    index = served.index("payloads")
    addresses = addresses_of(index, index["samples"])
    wanted = [(0, encode_sample(sample)[1]) for capture in captures for sample in capture]
    # Its records may be there a moment before them.
    served.until(lambda: read_payloads(served, "payloads", addresses) == wanted)


def test_captures_appear_while_training_goes_on(served: Served) -> None:
    captures = make_captures(3, 2, seed=4)
    file = EventFile(served.logdir / "live" / file_name("live"))
    for number, samples in enumerate(captures):
        encoded = [encode_sample(sample) for sample in samples]
        file.append(make_event("confused", "live", number, encoded, DIGITS, 1000.0 + number))
        wanted = 2 * (number + 1)
        served.until(lambda: "live" in served.runs())
        served.until(
            lambda wanted=wanted: (  # type: ignore[misc]
                served.index("live")["counts"]["samples"] == wanted
            )
        )
        address = f"live.{number}.1"
        payload = encoded[1][1]
        served.until(
            lambda address=address, payload=payload: (  # type: ignore[misc]
                read_payloads(served, "live", [address]) == [(0, payload)]
            )
        )
    file.close()


def test_a_restart_in_the_same_run_joins(served: Served) -> None:
    for seed, start in ((1, 1000.0), (2, 2000.0)):
        write_session(
            served.logdir / "restart", make_captures(3, 1, seed=seed)[seed - 1 :], start=start
        )
    served.until(lambda: "restart" in served.runs())

    def counts() -> dict[str, int]:
        answer: dict[str, int] = served.index("restart")["counts"]
        return answer

    served.until(lambda: counts() == {"samples": 3, "unreadable": 0, "superseded": 2, "dropped": 0})


def test_several_runs_and_the_directory_itself_are_listed(served: Served) -> None:
    write_session(served.logdir, make_captures(1, 1))
    write_session(served.logdir / "deep" / "er", make_captures(1, 1))
    served.until(lambda: served.runs()[:2] == [".", "deep/er"])
    assert served.runs() == sorted(served.runs())


def test_mistakes_are_no_server_errors(served: Served) -> None:
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


def test_slow_clients_keep_nobody_waiting(served: Served) -> None:
    """Some that never end their question, and some that never read the answer."""
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


def test_tensorboard_had_nothing_to_complain_of(served: Served) -> None:
    said = [
        line
        for line in served.log.read_text().splitlines()
        if line
        and not re.match(
            r"TensorFlow installation not found|Serving TensorBoard on localhost|TensorBoard \d",
            line,
        )
    ]
    assert said == []


@on_linux
@pytest.mark.parametrize("served", ["fast"], indirect=True)
def test_a_data_server_that_died_is_said_in_a_sentence(served: Served) -> None:
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
