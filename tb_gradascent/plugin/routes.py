"""The routes to the recorded data. ``http_api.md`` documents what each answers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

from tensorboard import plugin_util
from tensorboard.backend import http_util
from tensorboard.data.provider import DataProvider
from werkzeug import Request, Response

from tb_gradascent.format.metadata import RECORD_VERSION
from tb_gradascent.plugin.addresses import Address, CaptureRange
from tb_gradascent.plugin.data_source import Scope
from tb_gradascent.plugin.errors import RequestError
from tb_gradascent.plugin.report_page import report_page
from tb_gradascent.plugin.responses import (
    cache_forever,
    respond_bytes,
    respond_json,
    respond_stream,
)
from tb_gradascent.plugin.rows import pack_run
from tb_gradascent.plugin.sample_store import (
    MAX_PAYLOADS,
    MAX_RANGES,
    MAX_RECORDS,
    MAX_RUNS,
    SampleStore,
)


class DataRoutes:
    """The routes that answer with data from event files."""

    def __init__(self, data_provider: DataProvider) -> None:
        self._store = SampleStore(data_provider)

    def runs(self, request: Request) -> Response:
        """Answer with the runs and their tags."""
        return respond_json(request, _runs_answer(self._store.runs(_scope(request))))

    def opening(self, request: Request) -> Response:
        """Answer with the runs, and with what a fresh page shows of them."""
        most = _number(request, "most", MAX_RUNS)
        records = _number(request, "records", MAX_RECORDS)
        runs, newest = self._store.opening(_scope(request), most, records)
        return respond_stream(request, itertools.chain([pack_run(_runs_answer(runs), [])], newest))

    def newest(self, request: Request) -> Response:
        """Answer with the sessions and the newest records of one tag of several runs."""
        tag, runs = _one(request, "tag"), _several(request, "run", MAX_RUNS)
        records = _number(request, "records", MAX_RECORDS)
        return respond_stream(request, self._store.newest(_scope(request), runs, tag, records))

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
        answer, complete = self._store.payloads(_scope(request), *_samples(request))
        response = respond_bytes(request, answer)
        return cache_forever(response) if complete else response

    def report(self, request: Request) -> Response:
        """Answer with samples and the page that shows them, as one HTML file to save."""
        tag, samples = _samples(request)
        sessions = self._store.report_sessions(_scope(request), tag, samples)
        page = report_page(sessions, link=_link(request)).encode()
        response = respond_bytes(request, [page])
        response.headers["Content-Disposition"] = "attachment; filename=report.html"
        return response


def _runs_answer(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"record_version": RECORD_VERSION, "runs": runs}


def _samples(request: Request) -> tuple[str, list[tuple[str, Address]]]:
    """Return the tag, and the run and the address of each sample."""
    tag, runs = _one(request, "tag"), _several(request, "run", MAX_RUNS)
    return tag, [_address(text, runs) for text in _several(request, "sample", MAX_PAYLOADS)]


def _link(request: Request) -> dict[str, str]:
    """Return the fields of the page's link, from parameters ``link`` such as ``sort=margin``."""
    fields = [text.partition("=") for text in _all(request, "link")]
    return {name: text for name, _, text in fields}


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


def _number(request: Request, name: str, most: int) -> int:
    text = _one(request, name)
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) > most:
        raise RequestError(f"{name} must be a number from 0 to {most}, got {text[:80]!r}")
    return int(text)


def _address(text: str, runs: Sequence[str]) -> tuple[str, Address]:
    """Return a sample's run and its address in the run. With one run, its position is left out."""
    if len(runs) == 1:
        return runs[0], Address.parse(text)
    position, _, rest = text.partition(".")
    if not re.fullmatch("[0-9]{1,3}", position) or int(position) >= len(runs):
        raise RequestError(
            "sample must start with the position of its run if there are several, "
            f"0 to {len(runs) - 1}, got {text[:80]!r}"
        )
    return runs[int(position)], Address.parse(rest)


def _all(request: Request, name: str) -> list[str]:
    try:
        return request.args.getlist(name)
    except UnicodeDecodeError:
        raise RequestError("the query must be ASCII; percent-encode other characters") from None


def _scope(request: Request) -> Scope:
    return Scope(plugin_util.context(request.environ), plugin_util.experiment_id(request.environ))
