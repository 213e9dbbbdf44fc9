"""Bundle the page: ``make bundle``. A build of a wheel or of a source distribution does it too.

esbuild joins all modules of ``frontend/`` to one script, and all style sheets to one. The result
is in ``tb_gradascent/bundle/``. Each file starts with a digest of its sources. TensorBoard uses
the bundle if the digest is that of its sources, and the modules otherwise.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))  # A build does not put the project's folder on the path.

from tb_gradascent.plugin.assets import BUNDLED, banner, fresh_bundle, read_sources  # noqa: E402

ESBUILD = "esbuild@0.28.2"
TARGET = "es2022"

FOLDER = ROOT / "tb_gradascent" / "bundle"


def make_bundle(folder: Path = FOLDER) -> str | None:
    """Make the bundle if it is missing or of other sources.

    Returns:
        Why there is no fresh bundle, or ``None`` if there is one.
    """
    frontend = ROOT / "frontend"
    sources = read_sources(frontend)
    if fresh_bundle(folder, sources):
        return None
    npx = shutil.which("npx")
    if npx is None:
        return "Node.js is missing"
    with tempfile.TemporaryDirectory() as made:
        head = banner(sources)
        command = [npx, "--yes", "--package", ESBUILD, "esbuild", *BUNDLED]
        command += ["--bundle", "--minify", "--format=esm", f"--target={TARGET}", "--charset=utf8"]
        command += ["--legal-comments=none", "--log-level=warning", f"--outdir={made}"]
        command += [f"--banner:js={head}", f"--banner:css={head}"]
        outcome = subprocess.run(  # noqa: S603  # fixed words
            command, cwd=frontend, capture_output=True, text=True, check=False
        )
        if outcome.returncode:
            return f"{ESBUILD} failed: {(outcome.stderr or outcome.stdout).strip()[-500:]}"
        folder.mkdir(exist_ok=True)
        for name in BUNDLED:
            shutil.copyfile(Path(made) / name, folder / name)
    return None


def bundle_or_warn() -> None:
    """Make the bundle for a package. Without Node.js, say on stderr what the package lacks."""
    problem = make_bundle()
    if problem:
        print(
            f"warning: the page is not bundled, because {problem}. The package works, but the "
            "tab opens more slowly over a slow network.",
            file=sys.stderr,
        )


def main() -> int:
    """Make the bundle and say so."""
    problem = make_bundle()
    if problem:
        print(f"The page is not bundled: {problem}.", file=sys.stderr)
        return 1
    sizes = ", ".join(f"{name} {(FOLDER / name).stat().st_size / 1e3:.0f} kB" for name in BUNDLED)
    print(f"{FOLDER.relative_to(ROOT)}: {sizes}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
