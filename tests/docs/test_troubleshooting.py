"""``docs/troubleshooting.md`` and ``docs/compatibility.md`` say what holds here."""

from __future__ import annotations

import contextlib
import http.client
import re
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from testing.browser import open_tab
from testing.documented import python_blocks, sections, table
from testing.paths import ROOT
from testing.synthetic import make_captures, write_session
from testing.tensorboard_process import PATIENCE

SECTIONS = {
    heading: text
    for heading, text in sections(ROOT / "docs" / "troubleshooting.md", 2).items()
    if heading not in ("", "Troubleshooting")
}
PREFIX = "/user/me/proxy/6006"


@pytest.mark.parametrize("heading", SECTIONS)
def test_a_section_has_symptom_cause_and_remedy(heading: str) -> None:
    parts = re.findall(r"^\*\*(Symptom|Cause|Remedy)(?: 1)?\.\*\*", SECTIONS[heading], re.MULTILINE)
    assert parts == ["Symptom", "Cause", "Remedy"]


@pytest.mark.process
def test_the_command_that_lists_plugins_finds_this_one() -> None:
    (command,) = re.findall(r'python -c "(.+)"', SECTIONS["The tab is missing"])
    done = subprocess.run(
        [sys.executable, "-c", command], check=True, capture_output=True, text=True
    )
    assert "gradascent" in done.stdout


def test_tensorboard_binary_is_set_to_a_program_beside_python(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TENSORBOARD_BINARY", "")
    (block,) = python_blocks(SECTIONS["A notebook starts another environment's TensorBoard"])
    scope: dict[str, Any] = {}
    exec(block, scope)  # noqa: S102
    path = Path(scope["os"].environ["TENSORBOARD_BINARY"])
    assert path.parent == Path(sys.executable).parent
    assert path.name == "tensorboard"


def test_the_proxys_address_ends_with_a_slash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORBOARD_PROXY_URL", "")
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/me/")
    (block,) = python_blocks(SECTIONS["JupyterHub"])
    scope: dict[str, Any] = {}
    exec(block, scope)  # noqa: S102
    url = scope["os"].environ["TENSORBOARD_PROXY_URL"].replace("%PORT%", "6006")
    assert url == f"{PREFIX}/"


@contextlib.contextmanager
def stripping_proxy(address: str) -> Iterator[str]:
    """Yield the address of a proxy that removes ``PREFIX`` before it asks TensorBoard."""
    target = urllib.parse.urlsplit(address)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.path.startswith(f"{PREFIX}/") and self.path != PREFIX:
                self.send_error(404)
                return
            connection = http.client.HTTPConnection(target.netloc, timeout=PATIENCE)
            connection.request("GET", self.path.removeprefix(PREFIX) or "/")
            answer = connection.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            connection.close()

        def log_message(self, *_: object) -> None:
            """Says nothing: the browser reports what fails."""

    server = ThreadingHTTPServer(("localhost", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_port}{PREFIX}"
    server.shutdown()
    server.server_close()


@pytest.mark.slow
@pytest.mark.process
@pytest.mark.browser
def test_the_tab_opens_behind_a_proxy_that_strips_a_prefix(
    serve: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    write_session(tmp_path / "run", make_captures(1))
    with stripping_proxy(serve(tmp_path)) as address:
        tab = open_tab(page, f"{address}/")
        tab.locator(".sample[data-painted]").first.wait_for()
        # Without the slash TensorBoard's page asks for files beside the prefix.
        beside = urllib.parse.urljoin(address, "data/plugins_listing")
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(beside)


def test_the_versions_are_those_that_the_tests_run_with() -> None:
    pins = dict(
        line.partition(";")[0].strip().split("==")
        for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if "==" in line
    )
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8")
    rows = {part: cells[0] for part, cells in table(page, "part").items()}
    packages = {
        "torch": "torch",
        "TensorBoard": "tensorboard",
        "numpy": "numpy",
        "protobuf": "protobuf",
        "Lightning": "lightning",
        "Transformers": "transformers",
        "Ignite": "pytorch-ignite",
        "Accelerate": "accelerate",
    }
    for part, package in packages.items():
        assert pins[package] in rows[part], part


def test_the_lower_bounds_are_those_of_setup_py() -> None:
    page = (ROOT / "docs" / "compatibility.md").read_text(encoding="utf-8").replace("\n", " ")
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    for name, package in {"torch": "torch", "TensorBoard": "tensorboard", "numpy": "numpy"}.items():
        (bound,) = re.findall(rf'"{package}>=([\d.]+)"', setup)
        assert f"{name} {bound}" in page
    (python,) = re.findall(r'python_requires=">=([\d.]+)"', setup)
    assert f"Python {python}" in page
