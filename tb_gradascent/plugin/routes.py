"""The routes to the recorded data. ``http_api.md`` documents what each answers."""

from __future__ import annotations

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.data.provider import DataProvider
from werkzeug import Request, Response

from tb_gradascent.format.metadata import RECORD_VERSION
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.data_source import Scope
from tb_gradascent.plugin.errors import RequestError
from tb_gradascent.plugin.responses import cache_forever, respond_bytes, respond_json
from tb_gradascent.plugin.sample_store import MAX_PAYLOADS, MAX_RANGES, SampleStore


class DataRoutes:
    """The routes that answer with data from event files."""

    def __init__(self, data_provider: DataProvider) -> None:
        self._store = SampleStore(data_provider)

    def runs(self, request: Request) -> Response:
        """Answer with the runs and their tags."""
        runs = self._store.runs(_scope(request))
        return respond_json(request, {"record_version": RECORD_VERSION, "runs": runs})

    def index(self, request: Request) -> Response:
        """Answer with the sessions of one tag of one run."""
        run, tag = _one(request, "run"), _one(request, "tag")
        answer = self._store.index(_scope(request), run, tag)
        response: Response = http_util.Respond(
            request, answer, "application/json", content_encoding="gzip"
        )
        return response

    def records(self, request: Request) -> Response:
        """Answer with the records of captures, as rows."""
        run, tag = _one(request, "run"), _one(request, "tag")
        ranges = [CaptureRange.parse(text) for text in _several(request, "part", MAX_RANGES)]
        return respond_bytes(request, self._store.records(_scope(request), run, tag, ranges))

    def payloads(self, request: Request) -> Response:
        """Answer with the arrays of samples."""
        run, tag = _one(request, "run"), _one(request, "tag")
        addresses = [Address.parse(text) for text in _several(request, "sample", MAX_PAYLOADS)]
        answer, complete = self._store.payloads(_scope(request), run, tag, addresses)
        response = respond_bytes(request, answer)
        return cache_forever(response) if complete else response


def _one(request: Request, name: str) -> str:
    values = _all(request, name)
    if len(values) != 1:
        raise RequestError(f"{name} must be given exactly once, got {len(values)} values")
    return values[0]


def _several(request: Request, name: str, most: int) -> list[str]:
    values = _all(request, name)
    if not 1 <= len(values) <= most:
        raise RequestError(f"{name} must be given 1 to {most} times, got {len(values)} values")
    return values


def _all(request: Request, name: str) -> list[str]:
    try:
        return request.args.getlist(name)
    except UnicodeDecodeError:
        raise RequestError("the query must be ASCII; percent-encode other characters") from None


def _scope(request: Request) -> Scope:
    return Scope(plugin_util.context(request.environ), plugin_util.experiment_id(request.environ))
