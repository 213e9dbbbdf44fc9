"""The plugin's routes. ``http_api.md`` says what each answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from werkzeug import Request, Response

from tb_gradascent.address import Address, Part, RequestError
from tb_gradascent.assets import ENTRY, Assets
from tb_gradascent.metadata import PLUGIN_NAME, RECORD_VERSION
from tb_gradascent.provider import MAX_PARTS, MAX_PAYLOADS, SampleProvider
from tb_gradascent.series import UnknownSeriesError
from tb_gradascent.source import Scope, TooLargeError, UnavailableError

_FOREVER = "private, max-age=31536000, immutable"
_SENT = 1 << 16
"""Bytes of an answer that are put together at a time."""

Route = Callable[[Request], Response]


class GradAscentPlugin(base_plugin.TBPlugin):
    """Serves what the hook recorded, and the page that shows it."""

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._samples = SampleProvider(context.data_provider)
        self._assets = Assets()

    def get_plugin_apps(self) -> dict[str, Any]:
        """Route to WSGI application."""
        return {
            "/runs": _app(self._serve_runs),
            "/index": _app(self._serve_index),
            "/records": _app(self._serve_records),
            "/payloads": _app(self._serve_payloads),
            self._entry_path(): _app(self._serve_static),
            "/static/*": _app(self._serve_static),
        }

    def is_active(self) -> bool:
        """Whether there is data, asked by TensorBoard only after it found none of this plugin."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        """The tab's name, and the page's entry module."""
        return base_plugin.FrontendMetadata(
            es_module_path=self._entry_path(), tab_name="Gradient Ascent"
        )

    def _entry_path(self) -> str:
        return f"/static/{self._assets.version}/{ENTRY}"

    def _serve_runs(self, request: Request) -> Response:
        runs = self._samples.runs(_scope(request))
        return _respond_json(
            request,
            {
                "record_version": RECORD_VERSION,
                "runs": [{"run": run, "tags": tags} for run, tags in runs.items()],
            },
        )

    def _serve_index(self, request: Request) -> Response:
        run, tag = _one(request, "run"), _one(request, "tag")
        answer = self._samples.index(_scope(request), run, tag)
        response: Response = http_util.Respond(
            request, answer, "application/json", content_encoding="gzip"
        )
        return response

    def _serve_records(self, request: Request) -> Response:
        run, tag = _one(request, "run"), _one(request, "tag")
        parts = [Part.parse(text) for text in _several(request, "part", MAX_PARTS)]
        return _respond_bytes(request, self._samples.records(_scope(request), run, tag, parts))

    def _serve_payloads(self, request: Request) -> Response:
        run, tag = _one(request, "run"), _one(request, "tag")
        addresses = [Address.parse(text) for text in _several(request, "sample", MAX_PAYLOADS)]
        answer, complete = self._samples.payloads(_scope(request), run, tag, addresses)
        response = _respond_bytes(request, answer)
        return _cache_forever(response) if complete else response

    def _serve_static(self, request: Request) -> Response:
        _, _, path = request.path.partition("/static/")
        asset = self._assets.find(path)
        if asset is None:
            return _respond_json(request, {"error": "there is no such file; reload the page"}, 404)
        response: Response = http_util.Respond(request, asset.content, asset.mime_type)
        return _cache_forever(response)


def _app(route: Route) -> Any:
    """A route as a WSGI application that answers every mistake with a sentence."""

    @Request.application
    def app(request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            error = {"error": f"{request.method[:20]} is not answered here; use GET"}
            response = _respond_json(request, error, 405)
            response.headers["Allow"] = "GET, HEAD"
            return response
        try:
            return route(request)
        except RequestError as error:
            return _respond_json(request, {"error": str(error)}, 400)
        except UnknownSeriesError as error:
            return _respond_json(request, {"error": str(error)}, 404)
        except TooLargeError as error:
            return _respond_json(request, {"error": str(error)}, 413)
        except UnavailableError as error:
            return _respond_json(request, {"error": str(error)}, 503)

    return app


def _respond_json(request: Request, content: dict[str, Any], code: int = 200) -> Response:
    response: Response = http_util.Respond(request, content, "application/json", code)
    return response


def _respond_bytes(request: Request, pieces: Sequence[bytes]) -> Response:
    """An answer in pieces, joined no sooner than they are sent.

    A client is slow at times, and clients are many: each has no copy of its own but of ``_SENT``.
    """
    response: Response = http_util.Respond(request, b"", "application/octet-stream")
    response.content_length = sum(map(len, pieces))
    if request.method != "HEAD":
        response.response = _join(pieces)
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


def _cache_forever(response: Response) -> Response:
    """What stands under this address never changes.

    Set on the response, since ``Respond`` would add its own header to one that it is given.
    """
    response.headers["Cache-Control"] = _FOREVER
    del response.headers["Expires"]
    return response


def _one(request: Request, name: str) -> str:
    values = _all(request, name)
    if len(values) != 1:
        raise RequestError(f"{name} must be given exactly once, and is given {len(values)} times")
    return values[0]


def _several(request: Request, name: str, most: int) -> list[str]:
    values = _all(request, name)
    if not 1 <= len(values) <= most:
        raise RequestError(f"{name} must be given 1 to {most} times, and is {len(values)}")
    return values


def _all(request: Request, name: str) -> list[str]:
    try:
        return request.args.getlist(name)
    except UnicodeDecodeError:
        raise RequestError("the query must be ASCII; encode other characters by percent") from None


def _scope(request: Request) -> Scope:
    return Scope(plugin_util.context(request.environ), plugin_util.experiment_id(request.environ))
