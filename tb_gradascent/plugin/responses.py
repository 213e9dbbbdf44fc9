"""The HTTP answers of the plugin, errors included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tensorboard.backend import http_util
from werkzeug import Request, Response

from tb_gradascent.plugin.errors import AnswerError

Route = Callable[[Request], Response]

_FOREVER = "private, max-age=31536000, immutable"
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


def cache_forever(response: Response) -> Response:
    """Let the client keep the answer: it never changes.

    The header is set on the response, because ``Respond`` would add a second one.
    """
    response.headers["Cache-Control"] = _FOREVER
    del response.headers["Expires"]
    return response


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
