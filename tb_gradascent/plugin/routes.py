"""The routes to what was recorded, each a few lines. ``http_api.md`` says what each answers."""

from __future__ import annotations

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.data.provider import DataProvider
from werkzeug import Request, Response

from tb_gradascent.format.metadata import RECORD_VERSION
from tb_gradascent.plugin.addresses import Address, Part
from tb_gradascent.plugin.data_source import Scope
from tb_gradascent.plugin.errors import RequestError
from tb_gradascent.plugin.responses import cache_forever, respond_bytes, respond_json
from tb_gradascent.plugin.sample_store import MAX_PARTS, MAX_PAYLOADS, SampleProvider


class DataRoutes:
    """A request to an answer, for all that is read from event files."""

    def __init__(self, data_provider: DataProvider) -> None:
        self._samples = SampleProvider(data_provider)

    def runs(self, request: Request) -> Response:
        """Which runs and tags there are."""
        runs = self._samples.runs(_scope(request))
        return respond_json(
            request,
            {
                "record_version": RECORD_VERSION,
                "runs": [{"run": run, "tags": tags} for run, tags in runs.items()],
            },
        )

    def index(self, request: Request) -> Response:
        """The sessions of one tag of one run."""
        run, tag = _one(request, "run"), _one(request, "tag")
        answer = self._samples.index(_scope(request), run, tag)
        response: Response = http_util.Respond(
            request, answer, "application/json", content_encoding="gzip"
        )
        return response

    def records(self, request: Request) -> Response:
        """Rows of captures."""
        run, tag = _one(request, "run"), _one(request, "tag")
        parts = [Part.parse(text) for text in _several(request, "part", MAX_PARTS)]
        return respond_bytes(request, self._samples.records(_scope(request), run, tag, parts))

    def payloads(self, request: Request) -> Response:
        """Arrays of samples."""
        run, tag = _one(request, "run"), _one(request, "tag")
        addresses = [Address.parse(text) for text in _several(request, "sample", MAX_PAYLOADS)]
        answer, complete = self._samples.payloads(_scope(request), run, tag, addresses)
        response = respond_bytes(request, answer)
        return cache_forever(response) if complete else response


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
