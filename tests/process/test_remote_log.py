"""A real TensorBoard reads a remote log directory while it is written."""

from __future__ import annotations

import json
import struct
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tb_gradascent import GradAscentHook
from tb_gradascent.format import remote
from testing.networks import convolutional, digits
from testing.tensorboard_process import PATIENCE, wait_until


def test_tensorboard_follows_the_parts_of_a_remote_log(
    tmp_path: Path, serve: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "PART_BYTES", 30_000)
    monkeypatch.setattr(remote, "PUT_SECONDS", 0.0)
    url = tmp_path.as_uri()
    images, labels = digits()
    hook = GradAscentHook(convolutional(), f"{url}/run", every=1, strict=True)

    def capture(times: int) -> None:
        for _ in range(times):
            hook(images[:8], torch.zeros(8, 10), labels[:8])
        hook._capturer.writer.flush()

    capture(3)
    address = serve(url)

    def ask(route: str, **query: str | list[str]) -> bytes:
        text = urllib.parse.urlencode(query, doseq=True)
        with urllib.request.urlopen(
            f"{address}data/plugin/gradascent/{route}?{text}", timeout=PATIENCE
        ) as response:
            body: bytes = response.read()
        return body

    def session_of(captures: int) -> str:
        wait_until(lambda: [one["captures"] for one in sessions()] == [captures])
        return str(sessions()[0]["session"])

    def sessions() -> list[dict[str, Any]]:
        if not json.loads(ask("runs"))["runs"]:
            return []
        found: list[dict[str, Any]] = json.loads(ask("index", run="run", tag="confused"))[
            "sessions"
        ]
        return found

    session_of(captures=3)
    capture(6)
    session = session_of(captures=9)
    hook.close()
    assert len(list((tmp_path / "run").iterdir())) > 3
    addresses = [f"{session}.{number}.{index}" for number in range(9) for index in range(4)]
    answer = ask("payloads", run="run", tag="confused", sample=addresses)
    for _ in addresses:
        status, length = struct.unpack_from("<II", answer)
        assert (status, length > 0) == (0, True)
        answer = answer[8 + length :]
    assert answer == b""
