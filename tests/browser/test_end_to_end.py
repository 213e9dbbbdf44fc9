"""Real training, the real tensorboard, a real browser: the user sees what was computed."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent import Morph, Sample, Target, read_samples
from testing.board import Board
from testing.browser import (
    open_page,
    open_tab,
    panels_of,
    percent,
    press_reload,
    read_pixels,
    set_strength,
    strength_words,
    wait_for_samples,
)
from testing.index_reader import read_index
from testing.synthetic import make_captures, write_session

pytestmark = pytest.mark.browser

Serve = Callable[..., str]
ServeHere = Callable[..., Board]
Address = tuple[str, int, int]
"""A sample's run, step and index in its capture."""


def fetch_index(served: str, run: str) -> dict[str, Any]:
    """Return a run's index as the plugin serves it."""

    def ask(route: str, **more: str) -> bytes:
        query = urllib.parse.urlencode({"run": run, "tag": "confused", **more})
        with urllib.request.urlopen(f"{served}data/plugin/gradascent/{route}?{query}") as answer:
            return bytes(answer.read())

    return read_index(json.loads(ask("index")), lambda part: ask("records", part=part))


def addresses(served: str, runs: tuple[str, ...]) -> dict[str, Address]:
    """Return the address that ``read_samples`` uses, by the page's ``data-sample``."""
    found = {}
    for run in runs:
        index = fetch_index(served, run)
        for sample in index["samples"]:
            session = index["sessions"][sample["session"]]["session"]
            key = f"{run}|confused|{session}.{sample['capture']}.{sample['index']}"
            found[key] = (run, sample["step"], sample["index"])
    return found


def key_of(card: Locator) -> str:
    """Return the key of the sample that a card shows."""
    key = card.get_attribute("data-sample")
    assert key
    return key


def cards(tab: Frame) -> list[Locator]:
    """Return the painted cards."""
    return tab.locator(".sample[data-painted]").all()


def shown_morph(target: Target) -> Morph | None:
    """Return the morph that the page shows at first: the visible one."""
    return target.morphs.get("visible")


def painted_as(sample: Sample, change: npt.NDArray[Any] | float) -> npt.NDArray[np.float64]:
    """Return ``image + change`` as painted: 0 to 255, shape (height, width, channels)."""
    assert sample.mean is not None
    assert sample.std is not None
    std, mean = (np.array(values)[:, None, None] for values in (sample.std, sample.mean))
    shown = (sample.image + change) * std + mean
    levels: npt.NDArray[np.float64] = np.clip(shown.transpose(1, 2, 0).astype(np.float64), 0, 1)
    return levels * 255


@pytest.mark.parametrize(
    "load_fast",
    [pytest.param("true", id="fast"), pytest.param("false", id="python", marks=pytest.mark.slow)],
)
def test_the_screen_shows_what_was_computed(
    page: Page, serve: Serve, demo_runs: Path, load_fast: str
) -> None:
    recorded = {
        (sample.run, sample.step, sample.index): sample for sample in read_samples(demo_runs)
    }
    served = serve(demo_runs, f"--load_fast={load_fast}")
    tab = open_tab(page, served)
    expect(tab.locator(".count")).to_contain_text(f"of {len(recorded)} samples")
    wait_for_samples(tab)
    known = {
        key: recorded[address] for key, address in addresses(served, ("baseline", "noise")).items()
    }
    assert len(known) == len(recorded)
    assert_morphs_are_those_computed(tab, known)
    assert_gradients_are_coloured_by_sign(tab, known)
    assert_verdicts_are_those_of_the_network(tab, known)
    assert_orders_sort(tab, known)
    assert_runs_can_be_chosen(tab)


def assert_morphs_are_those_computed(tab: Frame, known: dict[str, Sample]) -> None:
    for strength in (0, 0.5, 0.73, 1):
        set_strength(tab, strength)
        expect(tab.locator('output[for="strength"]')).to_have_text(strength_words(strength))
        compared = 0
        for card in cards(tab)[:4]:
            sample = known[key_of(card)]
            canvas, panels = card.locator("canvas.panels"), panels_of(card)
            original = read_pixels(canvas, *panels["image"])
            assert np.abs(original - painted_as(sample, 0.0)).max() <= 1
            for target, panel in zip(sample.targets, panels["targets"], strict=True):
                assert panel["target"] == target.index
                morph = shown_morph(target)
                assert (morph is None) == (target.index == sample.classes[0])
                if morph is None:
                    assert panel["morph"] is None
                    continue
                painted = read_pixels(canvas, *panel["morph"])
                assert np.abs(painted - painted_as(sample, strength * morph.delta)).max() <= 2
                compared += 1
        assert compared >= 4


def assert_gradients_are_coloured_by_sign(tab: Frame, known: dict[str, Sample]) -> None:
    """Red where positive, blue where negative, darker where larger."""
    for card in cards(tab)[:6]:
        sample = known[key_of(card)]
        for target, panel in zip(sample.targets, panels_of(card)["targets"], strict=True):
            painted = read_pixels(card.locator("canvas.panels"), *panel["gradient"])
            share = np.clip(target.gradient[0] / target.gradient_p99, -1, 1)
            redness = painted[..., 0] - painted[..., 2]
            assert (redness[share > 0.1] > 0).all()
            assert (redness[share < -0.1] < 0).all()
            assert (share > 0.1).any()
            assert (share < -0.1).any()
            order = np.corrcoef(np.abs(share).ravel(), painted.mean(axis=2).ravel())[0, 1]
            assert order < -0.9


def assert_verdicts_are_those_of_the_network(tab: Frame, known: dict[str, Sample]) -> None:
    for strength in (0, 0.5, 1):
        set_strength(tab, strength)
        for card in cards(tab)[:4]:
            for target in known[key_of(card)].targets:
                morph = shown_morph(target)
                if morph is None:
                    continue
                (place,) = np.flatnonzero(morph.strengths == strength)
                verdict = card.locator(f'.verdict[data-target="{target.index}"]')
                words = verdict.text_content() or ""
                assert words.startswith(str(morph.predictions[place]))
                assert f" · {percent(morph.probabilities[place])}" in words


def assert_orders_sort(tab: Frame, known: dict[str, Sample]) -> None:
    newest = max(sample.step for sample in known.values())
    least = min(sample.margin for sample in known.values())
    is_first: dict[str, Callable[[Sample], bool]] = {
        "oldest": lambda sample: sample.step == 0,
        "newest": lambda sample: sample.step == newest,
        "margin": lambda sample: sample.margin == least,
    }
    for order, is_this_first in is_first.items():
        tab.locator("#sort").select_option(order)
        tab.wait_for_function(
            "keys => keys.includes(document.querySelector('.sample')?.dataset.sample)",
            arg=[key for key, sample in known.items() if is_this_first(sample)],
        )
    shown = [known[key_of(card)].margin for card in tab.locator(".sample").all()[:6]]
    assert shown == sorted(shown)


def assert_runs_can_be_chosen(tab: Frame) -> None:
    expect(tab.locator('input[name="run"]')).to_have_count(2)
    for run, other in (("noise", "baseline"), ("baseline", "noise")):
        tab.locator(f'input[name="run"][value="{run}"]').set_checked(False)
        tab.locator(f'input[name="run"][value="{other}"]').set_checked(True)
        expect(tab.locator(f'.sample[data-sample^="{other}|"]')).not_to_have_count(0)
        expect(tab.locator(f'.sample[data-sample^="{run}|"]')).to_have_count(0)


def test_new_captures_are_announced_and_push_no_card(
    serve_here: ServeHere, page: Page, tmp_path: Path
) -> None:
    captures = make_captures(40)
    write_session(tmp_path / "run", captures[:1], session="first")
    board = serve_here(tmp_path)
    tab = open_page(page, board.address)
    card = tab.locator(".sample[data-painted]").first
    card.locator("h2").click()
    tab.get_by_role("dialog").get_by_role("button", name="Close").click()
    before = key_of(card)
    write_session(tmp_path / "run", captures[1:], session="second")
    board.read()
    press_reload(tab)
    expect(tab.locator(".count")).to_have_text("160 of 160 samples")
    news = tab.get_by_role("button", name="156 new samples: show")
    expect(news).to_be_visible()
    assert key_of(card) == before
    news.click()
    expect(news).to_be_hidden()
    expect(card).not_to_have_attribute("data-sample", before)
    assert tab.locator(".grid").evaluate("grid => grid.scrollTop") == 0


def test_colours_are_painted_channel_by_channel(
    serve_here: ServeHere, page: Page, tmp_path: Path
) -> None:
    write_session(tmp_path / "run", make_captures(1, shape=(3, 20, 24)))
    recorded = {sample.index: sample for sample in read_samples(tmp_path)}
    tab = open_page(page, serve_here(tmp_path).address)
    wait_for_samples(tab)
    set_strength(tab, 0.5)
    for card in cards(tab):
        sample = recorded[int(key_of(card).rpartition(".")[2])]
        for target, panel in zip(sample.targets, panels_of(card)["targets"], strict=True):
            painted = read_pixels(card.locator("canvas.panels"), *panel["morph"])
            assert painted.shape == (20, 24, 3)
            assert target.delta is not None
            assert np.abs(painted - painted_as(sample, 0.5 * target.delta)).max() <= 2


@pytest.mark.parametrize("load_fast", ["true", pytest.param("false", marks=pytest.mark.slow)])
def test_without_data_the_tab_says_how_to_record_some(
    serve: Serve, page: Page, tmp_path: Path, load_fast: str
) -> None:
    tab = open_tab(page, serve(tmp_path, f"--load_fast={load_fast}"))
    expect(tab.locator("section.empty")).to_contain_text("GradAscentHook")
    expect(tab.locator(".sample")).to_have_count(0)
    expect(tab.locator('[role="alert"]')).to_be_hidden()
