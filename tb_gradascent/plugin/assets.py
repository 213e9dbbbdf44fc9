"""The files of the page. Only files on an allow-list are served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from tb_gradascent.version import VERSION

ENTRY = "index.js"
STYLE = "style.css"
BUNDLED = (ENTRY, STYLE)
"""The files of the bundle. They replace the sources with the same names, and all other sources."""

_NO_MODULES = b"const MODULES = [];"
"""The line of the entry module that is replaced by the names of the other modules."""
_FOLDERS = ("host", "data", "samples", "state", "drawing", "layout", "export", "views")
_PATTERNS = (
    "*.js",
    *(f"{folder}/**/*.js" for folder in _FOLDERS),
    STYLE,
    "style/*.css",
)
_MIME_TYPES = {".js": "text/javascript", ".css": "text/css"}


class Asset(NamedTuple):
    """A file, as it was when the process started.

    Attributes:
        content: Its bytes.
        mime_type: Its type. It does not come from the system's table, which may be wrong.
    """

    content: bytes
    mime_type: str


class Assets:
    """The files of the page. Their names are relative to ``frontend/``.

    If there is a bundle of exactly these sources, its two files are served. Otherwise the sources
    are served as they are, with the names of all other modules filled into the entry module.

    All files are read at construction. So no request can name a file outside the folder, and a file
    that changes later is not served under an old version.

    Args:
        folder: The folder with the files; by default the one that was installed with this package,
            or the one in the checkout.
        bundle: The folder with the bundle; by default the one of this package.

    Attributes:
        version: The release and a digest of all files. It changes when any file changes.
        bundled: Whether the bundle is served.
    """

    def __init__(self, folder: Path | None = None, bundle: Path | None = None) -> None:
        sources = read_sources(folder or _folder())
        found = fresh_bundle(bundle or _PACKAGE / "bundle", sources)
        self.bundled = found is not None
        self._files = {
            name: Asset(content, _MIME_TYPES[Path(name).suffix])
            for name, content in (found or _naming_modules(sources)).items()
        }
        self.version = f"{VERSION}-{_digest(self.contents())[:12]}"

    def find(self, path: str) -> Asset | None:
        """Return the file at ``<version>/<name>``, or ``None`` if there is no such file."""
        version, _, name = path.partition("/")
        return self._files.get(name) if version == self.version else None

    def contents(self) -> dict[str, bytes]:
        """Return the content of each file by its name."""
        return {name: asset.content for name, asset in self._files.items()}


def read_sources(folder: Path) -> dict[str, bytes]:
    """Return the page's modules and style sheets by their names relative to ``folder``."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for pattern in _PATTERNS
        for path in sorted(folder.glob(pattern))
        if path.is_file()
    }


def banner(sources: Mapping[str, bytes]) -> str:
    """Return the first line of each file of a bundle. It names the sources by their digest."""
    return f"/* {_digest(sources)} */"


def fresh_bundle(folder: Path, sources: Mapping[str, bytes]) -> dict[str, bytes] | None:
    """Return the files of the bundle, or ``None`` if it is missing or of other sources."""
    head = banner(sources).encode()
    try:
        files = {name: (folder / name).read_bytes() for name in BUNDLED}
    except OSError:
        return None
    return files if all(content.startswith(head) for content in files.values()) else None


def _digest(files: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in files.items():
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def _naming_modules(sources: Mapping[str, bytes]) -> dict[str, bytes]:
    """Fill the other modules' names into the entry module; the browser then fetches all at once."""
    if ENTRY not in sources:
        return {**sources}
    listed = f"const MODULES = {json.dumps(_other_modules(sources))};".encode()
    return {**sources, ENTRY: sources[ENTRY].replace(_NO_MODULES, listed)}


def _other_modules(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.endswith(".js") and name != ENTRY]


_PACKAGE = Path(__file__).resolve().parents[1]


def _folder() -> Path:
    """Return the page's folder: inside the package in a wheel, beside it in a checkout."""
    installed = _PACKAGE / "frontend"
    return installed if installed.is_dir() else _PACKAGE.parent / "frontend"
