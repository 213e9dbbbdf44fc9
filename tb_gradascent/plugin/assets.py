"""The page's own files, served by allow-list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tb_gradascent.version import VERSION

ENTRY = "index.js"

_NO_MODULES = b"const MODULES = [];"
"""What the entry module says where nobody told it which other modules there are."""
_FOLDERS = ("host", "data", "samples", "state", "drawing", "layout", "export", "views")
_PATTERNS = ("*.js", *(f"{folder}/**/*.js" for folder in _FOLDERS), "style/*.css")
_MIME_TYPES = {".js": "text/javascript", ".css": "text/css"}


class Asset(NamedTuple):
    """A file as it was when the process started.

    Attributes:
        content: Its bytes.
        mime_type: Stated here, because the system's table of types may be wrong.
    """

    content: bytes
    mime_type: str


class Assets:
    """The files of the page, by name relative to ``frontend/``, with ``/`` between folders.

    The entry module is served with the names of all others filled in; the rest as they are.

    All are read now, so that a path outside the folder cannot even be expressed, and a file that
    changes later is never served under a version that is not its own.

    Args:
        folder: Where they are; by default where this package was installed, or the checkout that
            it runs from.

    Attributes:
        version: The release and a digest of every file; another file, another version.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or _folder()
        self._files = {
            path.relative_to(folder).as_posix(): Asset(path.read_bytes(), _MIME_TYPES[path.suffix])
            for pattern in _PATTERNS
            for path in sorted(folder.glob(pattern))
            if path.is_file()
        }
        if ENTRY in self._files:
            self._files[ENTRY] = _naming_modules(self._files[ENTRY], self._files)
        digest = hashlib.sha256()
        for name, asset in self._files.items():
            digest.update(f"{name}\0{len(asset.content)}\0".encode())
            digest.update(asset.content)
        self.version = f"{VERSION}-{digest.hexdigest()[:12]}"

    def find(self, path: str) -> Asset | None:
        """The file at ``<version>/<name>``; ``None`` for another version or an unknown name."""
        version, _, name = path.partition("/")
        return self._files.get(name) if version == self.version else None


def _naming_modules(entry: Asset, names: Iterable[str]) -> Asset:
    """The entry module with the names of the others, which the browser then fetches at once."""
    modules = [name for name in names if name.endswith(".js") and name != ENTRY]
    listed = f"const MODULES = {json.dumps(modules)};".encode()
    return entry._replace(content=entry.content.replace(_NO_MODULES, listed))


def _folder() -> Path:
    """A wheel holds the page inside the package; a checkout, editable or bare, beside it."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "frontend"
    return installed if installed.is_dir() else package.parent / "frontend"
