"""The wheel: its files, its metadata, its entry point; and what an import of the package loads."""

from __future__ import annotations

import configparser
import email
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tb_gradascent.version import VERSION
from testing.paths import ROOT

pytestmark = pytest.mark.process

ADAPTERS = {"lightning", "transformers", "ignite"}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project's files, without what was built, recorded or installed."""
    folder = tmp_path_factory.mktemp("checkout") / "copy"
    built = ("__pycache__", "build", "dist", "bundle", "*.egg-info", "node_modules", "runs")
    kept = (".git", ".venv*", ".cache", ".*_cache", ".hypothesis")
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*built, *kept))
    return folder


@pytest.fixture(scope="module")
def unpacked(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution that a release publishes, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", code, str(folder)], cwd=checkout, check=True, capture_output=True
    )
    (built,) = folder.glob("*.tar.gz")
    shutil.unpack_archive(built, folder, filter="data")
    return folder / built.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel that a release publishes, built from the source distribution without Node.js."""
    return build_wheel(unpacked, tmp_path_factory.mktemp("wheel"))[0]


def build_wheel(sources: Path, folder: Path) -> tuple[zipfile.ZipFile, str]:
    """Return a wheel, built without Node.js, and what the build printed."""
    options = ["-v", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    outcome = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, "-w", folder, sources],
        check=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PATH": str(folder)},
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built), outcome.stdout


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_source_distribution_holds_everything_that_its_tests_need(
    checkout: Path, unpacked: Path
) -> None:
    made = re.compile(r"egg-info|__pycache__")
    missing = {name for name in files(checkout) - files(unpacked) if not made.search(name)}
    assert missing <= {".gitignore"}
    assert "tests/process/test_packaging.py" in files(unpacked)


def test_the_wheel_holds_the_package_and_the_page_and_nothing_else(
    wheel: zipfile.ZipFile,
) -> None:
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "tb_gradascent").rglob("*")
        if path.suffix in {".py", ".md"} or path.name == "py.typed"
    }
    page = {
        f"tb_gradascent/frontend/{path.relative_to(ROOT / 'frontend').as_posix()}"
        for path in (ROOT / "frontend").rglob("*")
        if path.suffix in {".js", ".css"} or path.name == "__init__.py"
    }
    assert shipped - BUNDLE == package | page


BUNDLE = {"tb_gradascent/bundle/index.js", "tb_gradascent/bundle/style.css"}


def test_the_wheel_holds_the_fresh_bundle(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    if shutil.which("npx") is None:
        pytest.skip("Node.js is missing, so the source distribution has no bundle")
    assert set(wheel.namelist()) >= BUNDLE
    wheel.extractall(tmp_path)
    code = "from tb_gradascent.plugin.assets import Assets; assert Assets().bundled"
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)


@pytest.mark.slow
def test_without_nodejs_a_clone_becomes_a_wheel_with_modules_and_the_build_says_so(
    checkout: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(checkout, clone, ignore=shutil.ignore_patterns("bundle"))
    wheel, printed = build_wheel(clone, tmp_path / "wheels")
    assert "the page is not bundled, because Node.js is missing" in printed
    names = set(wheel.namelist())
    assert not names & BUNDLE
    assert "tb_gradascent/frontend/app.js" in names
    installed = tmp_path / "installed"
    wheel.extractall(installed)
    code = (
        "from tb_gradascent.plugin.assets import Assets; a = Assets(); assert not a.bundled;"
        "assert a.find(f'{a.version}/app.js') is not None"
    )
    subprocess.run([sys.executable, "-c", code], cwd=installed, check=True)


def test_the_wheels_metadata_name_the_package_and_its_plugin(wheel: zipfile.ZipFile) -> None:
    info = f"tensorboard_plugin_gradascent-{VERSION}.dist-info"
    metadata = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert metadata["Name"] == "tensorboard-plugin-gradascent"
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0"
    assert set(metadata.get_all("Provides-Extra", [])) >= {"torch", *ADAPTERS}
    assert {f"{info}/licenses/LICENSE", f"{info}/licenses/NOTICE"} <= set(wheel.namelist())
    entry_points = configparser.ConfigParser()
    entry_points.read_string(wheel.read(f"{info}/entry_points.txt").decode())
    assert dict(entry_points["tensorboard_plugins"]) == {
        "gradascent": "tb_gradascent.plugin.loader:GradAscentLoader"
    }


@pytest.mark.parametrize("kind", ["wheel", "checkout"])
def test_the_page_is_found_in_the_wheel_and_in_a_checkout(
    kind: str, wheel: zipfile.ZipFile, checkout: Path, tmp_path: Path
) -> None:
    if kind == "wheel":
        wheel.extractall(tmp_path)
    folder = tmp_path if kind == "wheel" else checkout
    code = (
        "import tb_gradascent; from tb_gradascent.plugin.assets import ENTRY, Assets; a = Assets();"
        "assert a.find(f'{a.version}/{ENTRY}') is not None; print(tb_gradascent.__file__)"
    )
    printed = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, check=True, capture_output=True, text=True
    )
    assert Path(printed.stdout.strip()).parent == folder / "tb_gradascent"


@pytest.mark.parametrize(
    "module", ["tb_gradascent", "tb_gradascent.plugin.loader", "tb_gradascent.plugin.routes"]
)
def test_tensorboard_starts_without_torch(module: str) -> None:
    code = f"import sys, {module}; assert not {{'torch', 'tqdm', 'tensorflow'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
