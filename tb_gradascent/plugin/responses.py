"""The HTTP answers of the plugin, errors included."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tensorboard.backend import http_util
from werkzeug import Request, Response

from tb_gradascent.plugin.errors import AnswerError

Route = Callable[[Request], Response]

_FOREVER = "private, max-age=31536000, immutable"
_FAST = 1
"""zlib's fastest level. Higher ones save little on records and take several times as long."""
_GZIP = 31
"""zlib's code for a gzip header and the largest window."""
_CHUNK_BYTES = 1 << 16
"""Bytes of an answer that are joined at a time."""


def app(route: Route) -> Any:
    """Return a route as a WSGI application that answers every :class:`AnswerError`."""

    @Request.application
    def answer(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            error = {"error": f"method must be GET or HEAD, got {request.method[:20]}"}
            response = respond_json(request, error, 405)
            response.headers["Allow"] = "GET, HEAD"
            return response
        try:
            return route(request)
        except AnswerError as error:
            return respond_json(request, {"error": str(error)}, error.code)

    return answer


def respond_json(request: Request, content: dict[str, Any], code: int = 200) -> Response:
    """Return an answer in JSON."""
    response: Response = http_util.Respond(request, content, "application/json", code)
    return response


def respond_bytes(request: Request, pieces: Sequence[bytes]) -> Response:
    """Return an answer whose pieces are joined only when they are sent.

    So each of many slow clients holds a copy of only ``_CHUNK_BYTES``.
    """
    response: Response = http_util.Respond(request, b"", "application/octet-stream")
    response.content_length = sum(map(len, pieces))
    if request.method != "HEAD":
        response.response = _join(pieces)
    return response


def respond_stream(request: Request, parts: Iterable[Sequence[bytes]]) -> Response:
    """Return an answer whose parts are made while it is sent, so that the first arrives early.

    It is compressed if the client accepts gzip. Each part can be read as soon as it arrived.
    """
    response: Response = http_util.Respond(request, b"", "application/octet-stream")
    del response.headers["Content-Length"]
    zipped = request.accept_encodings["gzip"] > 0
    if zipped:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    if request.method != "HEAD":
        response.response = _zip(parts) if zipped else _flat(parts)
    return response


def cache_forever(response: Response) -> Response:
    """Let the client keep the answer: it never changes.

    The header is set on the response, because ``Respond`` would add a second one.
    """
    response.headers["Cache-Control"] = _FOREVER
    del response.headers["Expires"]
    return response


def _flat(parts: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    for pieces in parts:
        yield from _join(pieces)


def _zip(parts: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    stream = zlib.compressobj(_FAST, wbits=_GZIP)
    for pieces in parts:
        for piece in _join(pieces):
            yield stream.compress(piece)
        yield stream.flush(zlib.Z_SYNC_FLUSH)
    yield stream.flush()


def _join(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join small pieces to pieces of at most ``_CHUNK_BYTES``; larger pieces stay as they are."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        if waiting and size + len(piece) > _CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
        waiting.append(piece)
        size += len(piece)
    yield b"".join(waiting)
