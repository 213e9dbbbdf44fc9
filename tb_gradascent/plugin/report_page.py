"""The tab as one HTML file: code, styles and samples in it, and no request to anywhere.

The page inside is the one that TensorBoard shows. A block of JSON takes the place of the back end:
it holds the answers of the routes, see ``http_api.md``.

The file may hold names that a stranger chose. They are in the block of JSON, which is no script and
holds no ``<``, and in the title, which is escaped. The file's own policy allows only scripts with
its nonce.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
import re
import zlib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote

from tb_gradascent.format.metadata import RECORD_VERSION
from tb_gradascent.plugin.assets import ENTRY, STYLE, Assets
from tb_gradascent.plugin.rows import pack_ranges, pack_run

TITLE: Final = "Gradient Ascent"

_POLICY: Final = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_PAGE: Final = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
</head>
<body>
<noscript>This report needs JavaScript.</noscript>
<script type="application/json" id="report">{data}</script>
{code}
<script nonce="{nonce}">{start}</script>
</body>
</html>
"""
_START: Final = """
(async ({ nonce }) => {
  for (const { dataset, textContent } of document.querySelectorAll("[data-kind]")) {
    const bytes = Uint8Array.from(atob(textContent), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    const text = await new Response(stream).text();
    const element = document.createElement(dataset.kind === "style" ? "style" : "script");
    if (dataset.kind !== "style") element.type = dataset.kind;
    Object.assign(element, { nonce, textContent: text });
    document.head.append(element);
  }
})(document.currentScript);
"""
"""Inflates the style sheet and the scripts, and adds them to the page in their order."""


@dataclasses.dataclass(frozen=True)
class ReportRow:
    """One sample of a report.

    Attributes:
        capture: The number of its capture.
        index: Its index in the capture.
        row: Its record, as ``encode_row`` returns it.
        payload: Its arrays as stored; empty if they are missing.
    """

    capture: int
    index: int
    row: bytes
    payload: bytes


@dataclasses.dataclass
class ReportSession:
    """The samples of one session under one tag of one run.

    Attributes:
        run, tag: The run and the tag.
        session: The session as the route ``index`` lists it. ``captures`` and the two fields after
            it are replaced, because the report holds no other samples.
        rows: The samples, in the order of their captures.
    """

    run: str
    tag: str
    session: Mapping[str, Any]
    rows: list[ReportRow] = dataclasses.field(default_factory=list)


def report_page(
    sessions: Iterable[ReportSession],
    *,
    title: str | None = None,
    link: Mapping[str, str] | None = None,
) -> str:
    """Return the HTML file.

    Args:
        sessions: What it shows. The sessions of one run and tag are in the order of their start.
        title: The title of the page.
        link: What the page shows first: the fields of a link of the tab.
    """
    title = title or TITLE
    data = json.dumps(
        {"title": title, "link": dict(link or {}), **_answers(list(sessions))},
        allow_nan=False,
        separators=(",", ":"),
    ).replace("<", "\\u003c")
    code = _page_code()
    nonce = base64.b64encode(hashlib.sha256(f"{title}\0{data}\0{code}".encode()).digest()[:18])
    return _PAGE.format(
        policy=_POLICY.format(nonce=nonce.decode()),
        title=html.escape(title),
        nonce=nonce.decode(),
        data=data,
        code=code,
        start=_START,
    )


def _answers(sessions: Sequence[ReportSession]) -> dict[str, Any]:
    """Return the answers of the routes ``runs``, ``newest`` and ``payloads``."""
    tags: dict[str, dict[str, list[ReportSession]]] = {}
    for session in sessions:
        tags.setdefault(session.run, {}).setdefault(session.tag, []).append(session)
    return {
        "runs": {
            "record_version": RECORD_VERSION,
            "runs": [
                {"run": run, "tags": sorted(of_run), "empty_tags": []}
                for run, of_run in sorted(tags.items())
            ],
        },
        "newest": [
            [run, tag, _encode(b"".join(_newest(run, tag, of_tag)))]
            for run, of_run in sorted(tags.items())
            for tag, of_tag in sorted(of_run.items())
        ],
        "payloads": [
            [
                session.run,
                session.tag,
                f"{session.session['session']}.{row.capture}.{row.index}",
                _encode(row.payload),
            ]
            for session in sessions
            for row in session.rows
            if row.payload
        ],
    }


def _newest(run: str, tag: str, sessions: Sequence[ReportSession]) -> list[bytes]:
    listed, parts, rows = [], [], []
    for each in sessions:
        count = len({row.capture for row in each.rows})
        status = each.session.get("status")
        complete = {"captures": count, "damaged": False, "superseded_from": None, "status": status}
        listed.append({**each.session, **complete})
        parts.append(f"{each.session['session']}.0.{count}")
        rows += pack_ranges(0, count, 0, [row.row for row in each.rows])
    return pack_run({"run": run, "tag": tag, "sessions": listed, "parts": parts}, rows)


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


@lru_cache(maxsize=1)
def _page_code() -> str:
    """Return the style sheet and the scripts, compressed, as blocks that the start inflates."""
    return "\n".join(
        f'<script type="text/plain" data-kind="{kind}">'
        f"{_encode(zlib.compress(text.encode(), 9))}</script>"
        for kind, text in _style_and_scripts()
    )


def _style_and_scripts() -> list[tuple[str, str]]:
    """Return the kind and the text of the style sheet and of each script, in their order."""
    assets = Assets()
    files = {name: content.decode() for name, content in assets.contents().items()}
    if assets.bundled:
        return [("style", files[STYLE]), ("module", files[ENTRY])]
    imported = re.findall(r'^@import "\./(.+)";$', files[STYLE], re.MULTILINE)
    style = "\n".join(files[name] for name in imported)
    modules = {name: text for name, text in files.items() if name.endswith(".js")}
    imports = {name: _as_url(_named(name, text)) for name, text in modules.items()}
    listed = json.dumps({"imports": imports})
    return [("style", style), ("importmap", listed), ("module", f'import "{ENTRY}";')]


_SPECIFIER: Final = re.compile(
    r"""^((?:import|export)\b(?:[^;"'=]*\bfrom)?\s*|.*\bimport\()"(\.\.?/[\w./-]+\.js)\"""",
    re.MULTILINE,
)


def _named(name: str, text: str) -> str:
    """Return a module that names what it imports from the page's folder.

    A module at a ``data:`` address has no folder that its imports could be relative to.
    """

    def absolute(found: re.Match[str]) -> str:
        path: list[str] = name.split("/")[:-1]
        for step in found[2].split("/"):
            if step == "..":
                path.pop()
            elif step != ".":
                path.append(step)
        return f'{found[1]}"{"/".join(path)}"'

    return _SPECIFIER.sub(absolute, text)


def _as_url(text: str) -> str:
    return "data:text/javascript;charset=utf-8," + quote(text, safe=" ()[]{}=;:,/*.!?+-'|$&")
