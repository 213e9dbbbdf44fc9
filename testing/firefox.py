"""Firefox, driven over WebDriver BiDi without another program.

``make test-all`` runs ``python -m testing.firefox`` first, which installs Debian's ``firefox-esr``
if it is missing. Playwright would need its own build of Firefox. Firefox itself speaks WebDriver
BiDi (https://w3c.github.io/webdriver-bidi/) over a WebSocket.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

from websockets.sync.client import ClientConnection, connect

from testing.listening_program import listening
from testing.system_browser import SystemBrowser
from testing.tensorboard_process import PATIENCE, wait_until

FIREFOX = SystemBrowser(
    title="Firefox",
    names=("firefox-esr", "firefox"),
    packages=("firefox-esr", "fonts-liberation"),
    variable="FIREFOX",
    tests="the smoke test in Firefox",
)
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
_TOO_LARGE = 1 << 26
"""Bytes of one answer. A screenshot is far smaller."""


class Firefox:
    """One tab of a running Firefox.

    Attributes:
        logged: What pages wrote to the console, and the errors that no code caught.
    """

    def __init__(self, socket: ClientConnection) -> None:
        """Open a session.

        Args:
            socket: The connection to the browser.
        """
        self.logged: list[str] = []
        self._asked = 0
        self._socket = socket
        self._ask("session.new", capabilities={})
        self._ask("session.subscribe", events=["log.entryAdded"])
        (tree,) = self._ask("browsingContext.getTree")["contexts"]
        self._context = tree["context"]

    def open(self, address: str, *, width: int, height: int) -> None:
        """Open a page and wait until it is loaded.

        Args:
            address: The URL.
            width: The width of the visible page, in CSS pixels.
            height: The height.
        """
        viewport = {"width": width, "height": height}
        self._ask("browsingContext.setViewport", context=self._context, viewport=viewport)
        # Another end of the same address would not load the page again.
        for url in ("about:blank", address):
            self._ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression that is a text, a number, or a truth value.

        Raises:
            RuntimeError: The expression failed. The message has the exception.
        """
        target = {"context": self._context}
        answer = self._ask(
            "script.evaluate", expression=expression, target=target, awaitPromise=True
        )
        if answer["type"] == "exception":
            raise RuntimeError(answer["exceptionDetails"]["text"])
        return answer["result"].get("value")

    def wait_for(self, selector: str) -> None:
        """Wait until an element that matches a selector is visible.

        Raises:
            TimeoutError: None was visible within ``PATIENCE`` seconds.
        """
        height = f"document.querySelector({json.dumps(selector)})?.offsetHeight ?? 0"
        wait_until(lambda: bool(self.evaluate(f"({height}) > 0")))

    def screenshot(self) -> bytes:
        """Return a picture of the visible page as a PNG."""
        answer = self._ask("browsingContext.captureScreenshot", context=self._context)
        return base64.b64decode(answer["data"])

    def _ask(self, method: str, **parameters: object) -> Any:
        self._asked += 1
        command = {"id": self._asked, "method": method, "params": parameters}
        self._socket.send(json.dumps(command))
        while True:
            message = json.loads(self._socket.recv(timeout=PATIENCE))
            if message["type"] == "event":
                entry = message["params"]
                self.logged.append(f"{entry['level']}: {entry['text']}")
            elif message["id"] == self._asked:
                if message["type"] == "error":
                    raise RuntimeError(f"{method}: {message['error']}: {message['message']}")
                return message["result"]


@contextlib.contextmanager
def firefox(path: str) -> Iterator[Firefox]:
    """Start Firefox without a window and with an empty profile, and end it afterwards.

    Args:
        path: The program.

    Raises:
        RuntimeError: Firefox ended before it listened. The message is what it printed.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = [path, "--headless", "--no-remote", "--profile", folder]
        command += ["--remote-debugging-port", "0"]
        environment = {**os.environ, "HOME": folder}
        with (
            listening(command, _LISTENING, "Firefox", environment) as address,
            connect(f"{address}/session", max_size=_TOO_LARGE, open_timeout=PATIENCE) as socket,
        ):
            yield Firefox(socket)


if __name__ == "__main__":
    sys.exit(FIREFOX.main())
