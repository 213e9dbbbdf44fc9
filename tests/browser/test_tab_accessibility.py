"""axe-core finds no serious violation of WCAG in any part of the page, light or dark."""

from __future__ import annotations

import importlib.resources
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from playwright.sync_api import Frame, Page

from tb_gradascent.format.status import Notice, Status
from testing.browser import open_page, set_theme, wait_for_samples
from testing.synthetic import make_sample, write_session

pytestmark = pytest.mark.browser

#: The rules of WCAG 2.2 up to AA, and what axe-core calls best practice.
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
ALL_RULES: dict[str, Any] = {"runOnly": {"type": "tag", "values": RULES}}
CONTRAST: dict[str, Any] = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
ALL_BUT_CONTRAST: dict[str, Any] = {**ALL_RULES, "rules": {"color-contrast": {"enabled": False}}}

STATUS = Status(
    notices=(
        Notice("fault", "error", "A capture failed.", "Mend it.", 3, 2),
        Notice("softmax-output", "warning", "The model ends in Softmax.", "Return the logits.", 0),
        Notice("hint", "info", "Captures succeed again."),
    )
)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with probes, other samples, and a signal."""
    directory = tmp_path_factory.mktemp("accessible")
    for seed, run in enumerate(("first", "second")):
        rng = np.random.default_rng(seed)
        captures = [
            [
                make_sample(rng, step=step, id="probe", probe=True),
                make_sample(rng, step=step, id=f"{run}/{step}"),
                make_sample(rng, step=step, shape=(2, 60)),
            ]
            for step in (0, 10, 20)
        ]
        write_session(directory / run, captures, start=1.7e9, statuses=[STATUS])
    return directory


def everything_folded_out(page: Page, tab: Frame) -> None:
    tab.evaluate("for (const one of document.querySelectorAll('aside details')) one.open = true")


def notices(page: Page, tab: Frame) -> None:
    tab.locator(".notices summary").click()


def appearance(page: Page, tab: Frame) -> None:
    tab.locator(".appearance summary").click()


def downloads(page: Page, tab: Frame) -> None:
    tab.locator(".downloads summary").click()
    tab.locator('.downloads button[name="Numbers"]').click()


def detail(page: Page, tab: Frame) -> None:
    tab.locator(".sample h2").first.click()
    frame = tab.locator('[data-part="original"][data-painted]')
    frame.wait_for()
    frame.focus()


def follow(page: Page, tab: Frame) -> None:
    tab.get_by_role("tab", name="Over training").click()
    tab.locator(".frame[data-painted]").first.wait_for()


def compare(page: Page, tab: Frame) -> None:
    tab.get_by_role("tab", name="Compare").click()
    tab.locator(".pair .sample[data-painted]").first.wait_for()


def overview(page: Page, tab: Frame) -> None:
    tab.get_by_role("tab", name="Overview").click()
    tab.get_by_role("button", name="All steps").click()
    tab.locator(".overview-page .example[data-painted]").first.wait_for()


def pair(page: Page, tab: Frame) -> None:
    overview(page, tab)
    tab.locator(".pair-name").first.click()
    tab.locator(".pair-line .example[data-painted]").first.wait_for()


def help_panel(page: Page, tab: Frame) -> None:
    page.keyboard.press("?")
    tab.get_by_role("dialog").wait_for()


WHOLE = ["html"]
PARTS: list[tuple[Callable[[Page, Frame], None], list[str], list[str]]] = [
    (everything_folded_out, WHOLE, WHOLE),
    (notices, [".notices"], [".notices"]),
    (appearance, [".appearance"], [".appearance"]),
    (downloads, [".downloads"], [".downloads"]),
    (detail, WHOLE, ["dialog[open]"]),
    (follow, WHOLE, [".bar", ".follow"]),
    (compare, WHOLE, [".bar", ".compare"]),
    (overview, WHOLE, [".bar", ".overview-page"]),
    (pair, WHOLE, [".bar", ".pair-view"]),
    (help_panel, WHOLE, ["dialog[open]"]),
]
"""For each part of the page: how to show it, the elements to check, and those of them whose
contrast to check. The latter are the elements that no part before it has shown."""


def violations(tab: Frame, options: dict[str, Any], elements: Sequence[str] = WHOLE) -> list[str]:
    """Return what axe-core calls serious or critical, with the elements that it means."""
    if not tab.evaluate("'axe' in window"):
        source = importlib.resources.files("axe_playwright_python") / "axe.min.js"
        tab.evaluate(source.read_text(encoding="utf-8"))
    # axe-core would look for imported style sheets in the wrong place.
    options = {**options, "resultTypes": ["violations"], "preload": False}
    context = {"include": [[selector] for selector in elements]}
    found: dict[str, Any] = tab.evaluate(
        "([context, options]) => axe.run(context, options)", [context, options]
    )
    assert found["passes"], "axe-core checked something"
    return [
        f"{one['id']} ({one['impact']}): {one['help']}\n"
        + "\n".join(f"    {node['html'][:200]}: {node['failureSummary']}" for node in one["nodes"])
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


def open_painted(page: Page, served: str) -> Frame:
    tab = open_page(page, served)
    wait_for_samples(tab)
    return tab


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_no_part_has_a_serious_violation(
    page: Page, served: str, theme: Literal["light", "dark"]
) -> None:
    """The themes differ in colours alone. So only the contrast is checked in both."""
    tab = open_painted(page, served)
    set_theme(tab, theme)
    found = []
    for part, elements, coloured in PARTS:
        tab.get_by_role("tab", name="Samples").click()
        part(page, tab)
        seen = violations(tab, CONTRAST, coloured)
        if theme == "light":
            seen += violations(tab, ALL_BUT_CONTRAST, elements)
        found += [f"{part.__name__}: {each}" for each in seen]
        page.keyboard.press("Escape")
    assert not found, "\n".join(found)


def test_axe_core_sees_what_is_wrong(page: Page, served: str) -> None:
    tab = open_painted(page, served)
    tab.evaluate(
        """() => {
            document.body.append(document.createElement("button"));
            const pale = document.createElement("p");
            pale.textContent = "pale";
            pale.style.cssText = "color: #777; background: #888";
            document.body.append(pale);
        }"""
    )
    assert any("button-name" in one for one in violations(tab, ALL_RULES))
    assert any("color-contrast" in one for one in violations(tab, CONTRAST))


def test_counts_are_legible_on_every_colour_of_the_matrix(page: Page, served: str) -> None:
    tab = open_painted(page, served)
    tab.locator(".matrix [role=gridcell]").first.wait_for()
    assert_counts_are_legible(tab)
    set_theme(tab, "dark")
    assert_counts_are_legible(tab)


def assert_counts_are_legible(tab: Frame) -> None:
    pairs = tab.locator(".matrix [role=gridcell]").first.evaluate(
        """(cell) => {
            const canvas = new OffscreenCanvas(1, 1);
            const context = canvas.getContext("2d", { willReadFrequently: true });
            const painted = (colour) => {
                context.fillStyle = colour;
                context.fillRect(0, 0, 1, 1);
                return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
            };
            return Array.from({ length: 101 }, (_, share) => {
                cell.style.setProperty("--share", `${share}%`);
                const { color, backgroundColor } = getComputedStyle(cell);
                return [painted(color), painted(backgroundColor)];
            });
        }"""
    )
    lightness = luminance(np.array(pairs))
    contrasts = (lightness.max(axis=1) + 0.05) / (lightness.min(axis=1) + 0.05)
    assert contrasts.min() >= 4.5
    grounds = lightness[:, 1]
    assert abs(grounds[-1] - grounds[0]) > 0.3, "the colours really changed"


def luminance(colours: np.ndarray) -> np.ndarray:
    """Return WCAG's relative luminance of colours, 0 to 255, in the last axis."""
    share = colours / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return np.asarray(linear @ [0.2126, 0.7152, 0.0722])
