"""Answers of every kind that the plugin gives, mistakes among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tensorboard.backend import http_util
from werkzeug import Request, Response

from tb_gradascent.plugin.errors import AnswerError

Route = Callable[[Request], Response]

_FOREVER = "private, max-age=31536000, immutable"
_SENT = 1 << 16
"""Bytes of an answer that are put together at a time."""


def app(route: Route) -> Any:
    """A route as a WSGI application that answers every mistake with a sentence."""

    @Request.application
    def answer(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            error = {"error": f"{request.method[:20]} is not answered here; use GET"}
            response = respond_json(request, error, 405)
            response.headers["Allow"] = "GET, HEAD"
            return response
        try:
            return route(request)
        except AnswerError as error:
            return respond_json(request, {"error": str(error)}, error.code)

    return answer


def respond_json(request: Request, content: dict[str, Any], code: int = 200) -> Response:
    """An answer in JSON."""
    response: Response = http_util.Respond(request, content, "application/json", code)
    return response


def respond_bytes(request: Request, pieces: Sequence[bytes]) -> Response:
    """An answer in pieces, joined no sooner than they are sent.

    A client is slow at times, and clients are many: each has no copy of its own but of ``_SENT``.
    """
    response: Response = http_util.Respond(request, b"", "application/octet-stream")
    response.content_length = sum(map(len, pieces))
    if request.method != "HEAD":
        response.response = _join(pieces)
    return response


def cache_forever(response: Response) -> Response:
    """What stands under this address never changes.

    Set on the response, since ``Respond`` would add its own header to one that it is given.
    """
    response.headers["Cache-Control"] = _FOREVER
    del response.headers["Expires"]
    return response


def _join(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same in pieces of at most ``_SENT`` bytes, unless one was larger before."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        if waiting and size + len(piece) > _SENT:
            yield b"".join(waiting)
            waiting, size = [], 0
        waiting.append(piece)
        size += len(piece)
    yield b"".join(waiting)
