"""Real training, the real tensorboard, a real browser: what a user sees is what was computed."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent import Sample, Target, read_samples
from testing.browser import open_tab, read_pixels, reload_data, set_dark_mode, set_strength
from testing.index_reader import read_index
from testing.synthetic import make_captures, write_session
from testing.tensorboard_process import tensorboard

pytestmark = pytest.mark.browser

Serve = Callable[..., str]
Address = tuple[str, int, int]
"""A sample's run, step and place in its capture."""


@pytest.fixture(scope="module", params=["true", "false"], ids=["fast", "python"])
def served(request: pytest.FixtureRequest, demo_runs: Path) -> Iterator[str]:
    """The address of a TensorBoard on the demo's runs, in each of its two ways to load data."""
    with tensorboard(demo_runs, f"--load_fast={request.param}") as address:
        yield address


@pytest.fixture(scope="module")
def recorded(demo_runs: Path) -> dict[Address, Sample]:
    """What the demo recorded, read without TensorBoard."""
    return {(sample.run, sample.step, sample.index): sample for sample in read_samples(demo_runs)}


@pytest.fixture
def tab(page: Page, served: str) -> Frame:
    """The plugin's tab with its first samples painted."""
    tab = open_tab(page, served)
    tab.locator(".sample[data-painted]").first.wait_for()
    return tab


def cards(tab: Frame) -> list[Locator]:
    """The samples that are painted."""
    return tab.locator(".sample[data-painted]").all()


def fetch_index(served: str, run: str) -> dict[str, Any]:
    """A run's index, by the plugin's own word."""

    def ask(route: str, **more: str) -> bytes:
        query = urllib.parse.urlencode({"run": run, "tag": "confused", **more})
        with urllib.request.urlopen(f"{served}data/plugin/gradascent/{route}?{query}") as answer:
            return bytes(answer.read())

    return read_index(json.loads(ask("index")), lambda part: ask("records", part=part))


def addresses(served: str, runs: set[str]) -> dict[str, Address]:
    """What ``data-sample`` says, by the plugin's own index, to what ``read_samples`` says."""
    found = {}
    for run in runs:
        index = fetch_index(served, run)
        for sample in index["samples"]:
            session = index["sessions"][sample["session"]]["session"]
            key = f"{run}|{session}.{sample['capture']}.{sample['index']}"
            found[key] = (run, sample["step"], sample["index"])
    return found


def key_of(card: Locator) -> str:
    """The sample that a card shows."""
    key = card.get_attribute("data-sample")
    assert key
    return key


def panels_of(card: Locator) -> Any:
    """Where a card's panels stand on its canvas."""
    return json.loads(card.locator("canvas.panels").get_attribute("data-panels") or "")


def morph(sample: Sample, target: Target, strength: float) -> npt.NDArray[np.float64]:
    """The picture of ``image + strength * delta``, in grey levels, shape (height, width, 1)."""
    assert target.delta is not None
    assert sample.mean is not None
    assert sample.std is not None
    std, mean = (np.array(values)[:, None, None] for values in (sample.std, sample.mean))
    shown = (sample.image + strength * target.delta) * std + mean
    levels: npt.NDArray[np.float64] = np.clip(shown.transpose(1, 2, 0).astype(np.float64), 0, 1)
    return levels * 255


def test_the_morph_on_the_screen_is_the_one_that_was_computed(
    tab: Frame, served: str, recorded: dict[Address, Sample]
) -> None:
    known = addresses(served, {"baseline", "noise"})
    for strength in (0, 0.5, 0.73, 1):
        set_strength(tab, strength)
        expect(tab.locator('output[for="strength"]')).to_have_text(f"{strength:.2f}")
        compared = 0
        for card in cards(tab)[:4]:
            sample = recorded[known[key_of(card)]]
            canvas, panels = card.locator("canvas.panels"), panels_of(card)
            original = read_pixels(canvas, *panels["image"])
            assert np.abs(original - morph(sample, sample.targets[0], 0)).max() <= 1
            for target, panel in zip(sample.targets, panels["targets"], strict=True):
                assert panel["target"] == target.index
                painted = read_pixels(canvas, *panel["morph"])
                assert np.abs(painted - morph(sample, target, strength)).max() <= 2
                compared += 1
        assert compared >= 6


def test_a_gradient_is_red_where_it_is_positive_and_blue_where_negative(
    tab: Frame, served: str, recorded: dict[Address, Sample]
) -> None:
    known = addresses(served, {"baseline", "noise"})
    for card in cards(tab)[:6]:
        sample = recorded[known[key_of(card)]]
        for target, panel in zip(sample.targets, panels_of(card)["targets"], strict=True):
            painted = read_pixels(card.locator("canvas.panels"), *panel["gradient"])
            share = target.gradient[0] / np.abs(target.gradient).max()
            redness = painted[..., 0] - painted[..., 2]
            assert (redness[share > 0.1] > 0).all()
            assert (redness[share < -0.1] < 0).all()
            assert (share > 0.1).any()
            assert (share < -0.1).any()
            # The stronger, the darker: luminance falls with the magnitude.
            order = np.corrcoef(np.abs(share).ravel(), painted.mean(axis=2).ravel())[0, 1]
            assert order < -0.9


def test_the_verdict_is_what_the_network_said(
    tab: Frame, served: str, recorded: dict[Address, Sample]
) -> None:
    known = addresses(served, {"baseline", "noise"})
    for strength in (0, 0.5, 1):
        set_strength(tab, strength)
        for card in cards(tab)[:4]:
            sample = recorded[known[key_of(card)]]
            for target in sample.targets:
                (place,) = np.flatnonzero(target.strengths == strength)
                verdict = card.locator(f'.verdict[data-target="{target.index}"]')
                words = verdict.text_content() or ""
                assert words.startswith(str(target.predictions[place]))
                chance = re.search(r"at (\d\.\d\d)", words)
                assert chance, words
                assert abs(float(chance[1]) - target.probabilities[place]) <= 0.0051


def test_every_sample_is_counted(tab: Frame, recorded: dict[Address, Sample]) -> None:
    expect(tab.locator(".count")).to_contain_text(f"of {len(recorded)} samples")


def test_runs_are_picked(tab: Frame) -> None:
    expect(tab.locator('input[name="run"]')).to_have_count(2)
    for run, other in (("noise", "baseline"), ("baseline", "noise")):
        tab.locator(f'input[name="run"][value="{run}"]').set_checked(False)
        tab.locator(f'input[name="run"][value="{other}"]').set_checked(True)
        expect(tab.locator(f'.sample[data-sample^="{other}|"]')).not_to_have_count(0)
        expect(tab.locator(f'.sample[data-sample^="{run}|"]')).to_have_count(0)


def test_samples_are_sorted(tab: Frame, served: str, recorded: dict[Address, Sample]) -> None:
    known = addresses(served, {"baseline", "noise"})
    newest = max(sample.step for sample in recorded.values())
    least = min(sample.margin for sample in recorded.values())
    is_first: dict[str, Callable[[Sample], bool]] = {
        "oldest": lambda sample: sample.step == 0,
        "newest": lambda sample: sample.step == newest,
        "margin": lambda sample: sample.margin == least,
    }
    for order, is_this_first in is_first.items():
        tab.locator("#sort").select_option(order)
        tab.wait_for_function(
            "keys => keys.includes(document.querySelector('.sample')?.dataset.sample)",
            arg=[key for key, address in known.items() if is_this_first(recorded[address])],
        )
    shown = [recorded[known[key_of(card)]].margin for card in tab.locator(".sample").all()[:6]]
    assert shown == sorted(shown)


def test_dark_mode_follows_tensorboard(page: Page, tab: Frame) -> None:
    def background() -> float:
        colour: str = tab.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
        return float(np.mean([float(part) for part in re.findall(r"[\d.]+", colour)[:3]]))

    def zero_gradient() -> float:
        card = tab.locator(".sample[data-painted]").first
        panel = panels_of(card)["targets"][0]["gradient"]
        return float(np.median(read_pixels(card.locator("canvas.panels"), *panel)))

    assert background() > 200
    assert zero_gradient() > 200
    set_dark_mode(page)
    tab.locator('html[data-theme="dark"]').wait_for()
    assert background() < 80
    assert zero_gradient() < 80


def test_the_reload_button_shows_what_was_written_since(
    serve: Serve, page: Page, tmp_path: Path
) -> None:
    captures = make_captures(4)
    write_session(tmp_path / "run", captures[:1], session="first")
    address = serve(tmp_path)
    tab = open_tab(page, address)
    expect(tab.locator(".count")).to_have_text("4 of 4 samples")
    write_session(tmp_path / "run", captures[1:], session="second")
    wait_for_samples(address, 16)
    expect(tab.locator(".count")).to_have_text("4 of 4 samples")
    show_samples(page, tab, address, 16)


def show_samples(page: Page, tab: Frame, address: str, count: int) -> None:
    """Reload what is shown, once TensorBoard has read so many of the run ``run``."""
    wait_for_samples(address, count)
    reload_data(page)
    expect(tab.locator(".count")).to_have_text(f"{count} of {count} samples")


def wait_for_samples(address: str, count: int) -> None:
    """Until TensorBoard has read so many of the run ``run``."""
    deadline = time.monotonic() + 30
    while len(addresses(address, {"run"})) < count:
        assert time.monotonic() < deadline, "TensorBoard did not read the new file"
        time.sleep(0.2)


def test_what_the_keyboard_is_on_stays_when_many_samples_come_in_above_it(
    serve: Serve, page: Page, tmp_path: Path
) -> None:
    captures = make_captures(40)
    write_session(tmp_path / "run", captures[:10], session="first")
    address = serve(tmp_path)
    tab = open_tab(page, address)
    tab.locator(".sample[data-painted]").first.wait_for()
    tab.locator(".grid").focus()
    page.keyboard.press("ArrowRight")
    key = key_of(tab.locator(".sample:focus"))
    place = place_in_grid(tab, key)
    write_session(tmp_path / "run", captures[10:], session="second")
    show_samples(page, tab, address, 160)
    assert place_in_grid(tab, key) == place
    assert tab.evaluate("document.activeElement.dataset.sample") == key


def place_in_grid(tab: Frame, key: str) -> list[float]:
    """Where a sample stands in the part of the grid that is visible."""
    place: list[float] = tab.locator(f'.sample[data-sample="{key}"]').evaluate(
        """card => {
            const grid = card.closest(".grid");
            const [one, other] = [card, grid].map((e) => e.getBoundingClientRect());
            return [one.x - other.x, one.y - other.y];
        }"""
    )
    return place


def test_at_the_top_new_samples_come_in_where_no_key_was_pressed(
    serve: Serve, page: Page, tmp_path: Path
) -> None:
    captures = make_captures(40)
    write_session(tmp_path / "run", captures[:1], session="first")
    address = serve(tmp_path)
    tab = open_tab(page, address)
    card = tab.locator(".sample[data-painted]").first
    card.locator("h2").click()
    tab.get_by_role("dialog").get_by_role("button", name="Close").click()
    before = key_of(card)
    write_session(tmp_path / "run", captures[1:], session="second")
    show_samples(page, tab, address, 160)
    expect(card).not_to_have_attribute("data-sample", before)
    assert tab.locator(".grid").evaluate("grid => grid.scrollTop") == 0


def test_colours_are_painted_channel_by_channel_also_under_a_path_prefix(
    serve: Serve, page: Page, tmp_path: Path
) -> None:
    write_session(tmp_path / "run", make_captures(1, shape=(3, 20, 24)))
    recorded = {sample.index: sample for sample in read_samples(tmp_path)}
    tab = open_tab(page, serve(tmp_path, "--path_prefix=/some/where"))
    tab.locator(".sample[data-painted]").first.wait_for()
    set_strength(tab, 0.5)
    for card in cards(tab):
        sample = recorded[int(key_of(card).rpartition(".")[2])]
        for target, panel in zip(sample.targets, panels_of(card)["targets"], strict=True):
            painted = read_pixels(card.locator("canvas.panels"), *panel["morph"])
            assert painted.shape == (20, 24, 3)
            assert np.abs(painted - morph(sample, target, 0.5)).max() <= 2


@pytest.mark.parametrize("load_fast", ["true", "false"])
def test_without_data_the_tab_says_how_to_get_some(
    serve: Serve, page: Page, tmp_path: Path, load_fast: str
) -> None:
    tab = open_tab(page, serve(tmp_path, f"--load_fast={load_fast}"))
    expect(tab.locator("section.empty")).to_contain_text("GradAscentHook")
    expect(tab.locator(".sample")).to_have_count(0)
    expect(tab.locator('[role="alert"]')).to_be_hidden()
