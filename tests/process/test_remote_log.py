"""A real TensorBoard reads a remote log directory while it is written."""

from __future__ import annotations

import json
import struct
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tb_gradascent import GradAscentHook
from tb_gradascent.format import remote
from testing.networks import convolutional, digits


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
        hook._writer.flush()

    capture(3)
    address = serve(url)

    def ask(route: str, **query: str | list[str]) -> bytes:
        text = urllib.parse.urlencode(query, doseq=True)
        with urllib.request.urlopen(
            f"{address}data/plugin/gradascent/{route}?{text}", timeout=60
        ) as response:
            body: bytes = response.read()
        return body

    def session_of(captures: int) -> str:
        deadline = time.monotonic() + 120
        while True:
            if json.loads(ask("runs"))["runs"]:
                (session,) = json.loads(ask("index", run="run", tag="confused"))["sessions"]
                if session["captures"] == captures:
                    return str(session["session"])
            assert time.monotonic() < deadline
            time.sleep(0.2)

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
