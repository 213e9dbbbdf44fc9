"""Requests to every route of a real TensorBoard application, on a hostile log directory."""

from __future__ import annotations

import functools
import gzip
import json
import tempfile
import urllib.parse
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorboard.backend import security_validator
from werkzeug.middleware.lint import LintMiddleware
from werkzeug.test import create_environ, run_wsgi_app

# The plugin imports these modules late. The fuzzer must see them when it starts.
import tb_gradascent.plugin.plugin
import tb_gradascent.plugin.routes  # noqa: F401
from tb_gradascent.plugin.sample_store import MAX_ANSWER_BYTES
from testing.hostile import FOLDERS, NAMES, write_logdir
from testing.wsgi import PREFIX, make_app

METHODS = ("GET", "HEAD", "GET", "POST", "GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE")
MISTAKES = (400, 404, 405)
TRAVERSALS = (
    *("../", "..%2f", "%2e%2e/", "%2e%2e%2f", "..%252f", "%252e%252e%252f", "..%5c", "..\\"),
    *("..;/", "....//", "/", "//", "%2f", "..%00/", "%c0%ae%c0%ae/", "..%c0%af", "%uff0e%uff0e/"),
)


def request(data: bytes) -> int:
    """Send one request and return its status.

    The first byte chooses the method. The rest of the first line is the address below the plugin's
    own. The second line is the ``Accept-Encoding``.
    """
    method = METHODS[(data[0] if data else 0) % len(METHODS)]
    target, _, encoding = data[1:].partition(b"\n")
    path, _, query = target.partition(b"?")
    environ = create_environ(PREFIX, method=method)
    environ["PATH_INFO"] = PREFIX + urllib.parse.unquote_to_bytes(path).decode("latin-1")
    environ["QUERY_STRING"] = query.decode("latin-1")
    environ["HTTP_ACCEPT_ENCODING"] = encoding.decode("latin-1")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if method == "HEAD":  # werkzeug's lint expects a body
            warnings.filterwarnings("ignore", message="Content-Length and the number of bytes")
        chunks, status, headers = run_wsgi_app(_app(), environ, buffered=True)
        body = b"".join(chunks)
    code = int(status.split()[0])
    assert len(body) <= MAX_ANSWER_BYTES
    assert not (body and method == "HEAD")
    if code != 200:
        assert code in MISTAKES, (code, data)
        if headers.get("Content-Type") == "application/json" and method != "HEAD":
            gzipped = headers.get("Content-Encoding") == "gzip"
            error = json.loads(gzip.decompress(body) if gzipped else body)
            assert error.keys() == {"error"}
            assert "Traceback" not in error["error"]
    return code


def seeds() -> Iterator[bytes]:
    """Yield requests of every kind."""
    logdir = _logdir()
    runs = sorted(path.name for path in Path(logdir.name).iterdir())
    yield b"\0runs\ngzip"
    yield b"\3runs\n"
    for run in runs:
        query = urllib.parse.urlencode({"run": run, "tag": "confused"})
        yield f"\0index?{query}\ngzip".encode()
        yield f"\0records?{query}&part=sound.0.2&part=numbers.0.9\n".encode()
        yield f"\0records?{query}&part=sound.0.3&part=names.0.1&part=numbers.0.4\n".encode()
        yield f"\0newest?{query}&run=names&records=9\ngzip".encode()
        yield f"\0payloads?{query}&run=names&sample=0.sound.0.0&sample=1.names.0.3\n".encode()
        yield f"\0report?{query}&sample=sound.0.0&link=sort=margin\n".encode()
        yield f"\0payloads?{query}&sample=sound.0.0&sample=sound.1.1&sample=numbers.-1.0\n".encode()
    for name in (*NAMES, *FOLDERS):
        query = urllib.parse.urlencode({"run": FOLDERS[0], "tag": name}, errors="replace")
        yield f"\0index?{query}\n".encode()
    for up in TRAVERSALS:
        yield f"\0static/{up}{up}{up}{up}etc/passwd\n".encode()
        yield f"\0index?run={up}sound&tag=confused\n".encode()
    for number in ("-1", "0", "9" * 9, "9" * 19, "9" * 400, "1e9", "0x10", "NaN", "٣", ""):
        yield f"\0payloads?run=sound&tag=confused&sample=sound.{number}.{number}\n".encode()
        yield f"\0records?run=sound&tag=confused&part=sound.{number}.{number}\n".encode()
    yield b"\0index?run=sound&run=torn&tag=confused\n"
    yield b"\0index?run=sound&tag=confused&" + b"x=1&" * 16_000 + b"\n"
    yield b"\0payloads?run=sound&tag=confused" + b"&sample=sound.0.0" * 3_800 + b"\n"
    yield from (b"\0static/index.js\n", b"\1static/\nidentity", b"\0runs?tag=%F0%28%8C%28\n")


@functools.cache
def _logdir() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory()
    write_logdir(Path(folder.name))
    return folder


@functools.cache
def _app() -> Any:
    security_validator._maybe_raise_value_error = _complain
    return LintMiddleware(make_app(Path(_logdir().name)))


def _complain(message: str) -> None:
    raise AssertionError(f"TensorBoard's security validator: {message}")
