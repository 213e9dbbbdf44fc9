"""The files of the page. Only files on an allow-list are served."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from tb_gradascent.version import VERSION

ENTRY = "index.js"

_NO_MODULES = b"const MODULES = [];"
"""The line of the entry module that is replaced by the names of the other modules."""
_FOLDERS = ("host", "data", "samples", "state", "drawing", "layout", "export", "views")
_PATTERNS = ("*.js", *(f"{folder}/**/*.js" for folder in _FOLDERS), "style/*.css")
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

    The names of all other modules are filled into the entry module. The other files are served as
    they are.

    All files are read at construction. So no request can name a file outside the folder, and a file
    that changes later is not served under an old version.

    Args:
        folder: The folder with the files; by default the one that was installed with this package,
            or the one in the checkout.

    Attributes:
        version: The release and a digest of all files. It changes when any file changes.
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
        """Return the file at ``<version>/<name>``, or ``None`` if there is no such file."""
        version, _, name = path.partition("/")
        return self._files.get(name) if version == self.version else None


def _naming_modules(entry: Asset, names: Iterable[str]) -> Asset:
    """Fill the other modules' names into the entry module; the browser then fetches all at once."""
    modules = [name for name in names if name.endswith(".js") and name != ENTRY]
    listed = f"const MODULES = {json.dumps(modules)};".encode()
    return entry._replace(content=entry.content.replace(_NO_MODULES, listed))


def _folder() -> Path:
    """Return the page's folder: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "frontend"
    return installed if installed.is_dir() else package.parent / "frontend"
