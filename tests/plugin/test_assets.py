"""The allow-list of the page's files, and the version that changes with each of them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tb_gradascent.plugin.assets import ENTRY, STYLE, Assets, banner, read_sources
from tb_gradascent.version import VERSION
from testing.paths import ROOT

FRONTEND = ROOT / "frontend"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "frontend"
    (folder / "views").mkdir(parents=True)
    (folder / "style").mkdir()
    (folder / "node_modules").mkdir()
    for name in (
        "index.js",
        "style/base.css",
        "views/grid.js",
        "node_modules/x.js",
        "tsconfig.json",
    ):
        (folder / name).write_text(f"/* {name} ☃ */")
    (folder / "__init__.py").touch()
    (tmp_path / "secret.js").write_text("secret")
    return folder


def test_the_files_of_the_page_are_served_with_their_type(folder: Path) -> None:
    assets = Assets(folder)
    for name, mime_type in [
        ("index.js", "text/javascript"),
        ("style/base.css", "text/css"),
        ("views/grid.js", "text/javascript"),
    ]:
        asset = assets.find(f"{assets.version}/{name}")
        assert asset is not None
        assert asset.content == (folder / name).read_bytes()
        assert asset.mime_type == mime_type


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "index",
        "INDEX.JS",
        "__init__.py",
        "tsconfig.json",
        "views",
        "views/",
        "node_modules/x.js",
        "../secret.js",
        "views/../index.js",
        "/index.js",
        "./index.js",
        "index.js\0",
        "index.js/",
        "..%2fsecret.js",
        "..\\secret.js",
    ],
)
def test_no_other_file_is_served(folder: Path, name: str) -> None:
    assets = Assets(folder)
    assert assets.find(f"{assets.version}/{name}") is None


def test_another_version_is_not_served(folder: Path) -> None:
    assets = Assets(folder)
    for path in ("index.js", "/index.js", f"{VERSION}/index.js", f"{assets.version}x/index.js"):
        assert assets.find(path) is None


def test_the_version_changes_with_the_content_name_and_number_of_files(folder: Path) -> None:
    versions = {Assets(folder).version}
    (folder / "style/base.css").write_text("/* another */")
    versions.add(Assets(folder).version)
    (folder / "views" / "grid.js").rename(folder / "views" / "table.js")
    versions.add(Assets(folder).version)
    (folder / "views" / "table.js").unlink()
    versions.add(Assets(folder).version)
    assert len(versions) == 4
    assert all(version.startswith(f"{VERSION}-") for version in versions)
    assert Assets(folder).version in versions


def test_a_file_that_changes_later_is_served_as_it_was(folder: Path) -> None:
    assets = Assets(folder)
    (folder / "index.js").write_text("changed")
    found = assets.find(f"{assets.version}/index.js")
    assert found is not None
    assert found.content != b"changed"


def test_a_missing_folder_has_no_files(tmp_path: Path) -> None:
    assets = Assets(tmp_path / "missing")
    assert assets.find(f"{assets.version}/{ENTRY}") is None


@pytest.mark.parametrize("layout", ["wheel", "checkout"])
def test_the_page_is_found_in_a_wheel_and_in_a_checkout(tmp_path: Path, layout: str) -> None:
    site = tmp_path / "site"
    shutil.copytree(ROOT / "tb_gradascent", site / "tb_gradascent")
    page = site / "tb_gradascent" / "frontend" if layout == "wheel" else site / "frontend"
    page.mkdir()
    (page / ENTRY).write_text("export function render() {}")
    code = (
        "from tb_gradascent.plugin.assets import ENTRY, Assets; a = Assets();"
        "print(a.find(f'{a.version}/{ENTRY}').content.decode())"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=site, check=True, capture_output=True, text=True
    )
    assert answer.stdout.strip() == "export function render() {}"


def test_the_entry_module_of_this_checkout_is_served() -> None:
    assets = Assets()
    assert assets.find(f"{assets.version}/{ENTRY}") is not None


def test_the_entry_module_names_all_other_modules(tmp_path: Path) -> None:
    assets = Assets(bundle=tmp_path / "none")
    assert not assets.bundled
    entry = assets.find(f"{assets.version}/{ENTRY}")
    assert entry is not None
    (listed,) = re.findall(r"^const MODULES = (\[.*\]);$", entry.content.decode(), re.MULTILINE)
    modules = {path.relative_to(FRONTEND).as_posix() for path in FRONTEND.rglob("*.js")}
    assert set(json.loads(listed)) == modules - {ENTRY}
    assert all(assets.find(f"{assets.version}/{name}") for name in json.loads(listed))


def test_every_stylesheet_is_linked() -> None:
    listed = re.findall(r'^@import "\./style/(.+)";$', (FRONTEND / STYLE).read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(path.name for path in (FRONTEND / "style").iterdir())


def test_a_bundle_is_served_only_if_it_is_of_exactly_these_sources(
    folder: Path, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (folder / STYLE).write_text("/* all */")
    head = banner(read_sources(folder))
    (bundle / ENTRY).write_text(f"{head}\nscript")
    assert not Assets(folder, bundle).bundled, "half a bundle"
    (bundle / STYLE).write_text(f"{head}\nstyle")
    (bundle / "secret.txt").write_text("secret")
    fresh = Assets(folder, bundle)
    assert fresh.bundled
    assert fresh.contents() == {
        ENTRY: (bundle / ENTRY).read_bytes(),
        STYLE: (bundle / STYLE).read_bytes(),
    }
    assert fresh.find(f"{fresh.version}/views/grid.js") is None
    (folder / "views/grid.js").write_text("/* changed */")
    stale = Assets(folder, bundle)
    assert not stale.bundled
    assert stale.contents() == read_sources(folder)
    assert len({fresh.version, stale.version, Assets(folder, tmp_path).version}) == 2


def test_no_class_is_styled_by_two_stylesheets() -> None:
    styled: dict[str, set[str]] = {}
    for sheet in (FRONTEND / "style").glob("*.css"):
        rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        for selectors in re.findall(r"([^{}]+)\{", rules):
            for selector in map(str.strip, selectors.split(",")):
                if re.fullmatch(r"\.[\w-]+", selector):
                    styled.setdefault(selector, set()).add(sheet.name)
    assert styled
    assert {name: sheets for name, sheets in styled.items() if len(sheets) > 1} == {}
