"""The Overview answers first, and the Pair view shows why."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent.format import metadata
from tb_gradascent.format.samples import CapturedSample
from tb_gradascent.format.status import Notice, Status
from testing.board import Board
from testing.browser import open_page, open_tab, press_reload, read_pixels, wait_for_paint
from testing.synthetic import DIGITS, make_sample, write_session

pytestmark = pytest.mark.browser

STEPS = range(0, 1000, 100)
PROBES = 8
Serve = Callable[[Path], Board]


def between(
    rng: np.random.Generator,
    step: int,
    says: int,
    near: int,
    *,
    label: int | None,
    size: float = 1.0,
    shape: tuple[int, ...] = (1, 28, 28),
    id: str | None = None,
    probe: bool = False,
) -> CapturedSample:
    """Return a sample between two classes, whose smallest change to the other has this length.

    The synthetic responses flip at half of the morph.
    """
    sample = make_sample(rng, step=step, shape=shape, targets=(near,), survived=(True,) * 8)
    (target,) = sample.targets
    morph = target.morphs["smallest"]
    length = float(np.linalg.norm(morph.delta))
    strengths = np.asarray(morph.strengths)
    morph = dataclasses.replace(
        morph,
        delta=np.asarray(morph.delta) * np.float32(2 * size / length),
        predictions=np.where(strengths > 0.4, near, says),
    )
    classes = np.array([says, near, *(index for index in range(10) if index not in {says, near})])
    chances = np.array([0.6, 0.3, *[0.0125] * 8], np.float32)
    return dataclasses.replace(
        sample,
        classes=classes,
        probabilities=chances,
        label=label,
        loss=None if label is None else float(-np.log(chances[list(classes).index(label)])),
        targets=(dataclasses.replace(target, morphs={"smallest": morph}),),
        id=id,
        probe=probe,
    )


def write_run(
    run: Path, *, seed: int, probe_size: float, statuses: tuple[Status, ...] = ()
) -> None:
    """Write a run that mixes up 7 and 9 most, in both directions, and is wrong about one sample."""
    rng = np.random.default_rng(seed)
    name = run.name
    captures = [
        [
            between(rng, step, 7, 9, label=7, size=0.2 + step / 1000, id=f"train/{name}{step}"),
            between(rng, step, 9, 7, label=7, size=2.0, id=f"train/wrong{step}"),
            between(rng, step, 3, 5, label=3, size=0.5, id=f"train/{name}three{step}"),
            *([between(rng, step, 8, 1, label=1, size=4.0, id="test/21")] if step >= 700 else []),
            *(
                between(rng, step, 4, 6, label=4, size=probe_size, id=f"p{at}", probe=True)
                for at in range(PROBES)
            ),
        ]
        for step in STEPS
    ]
    write_session(run, captures, session=f"{name}-0", start=1.7e9, statuses=statuses)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs whose probes differ clearly; one of them has a notice."""
    directory = tmp_path_factory.mktemp("overview")
    notice = Notice("softmax-output", "warning", "The model ends in Softmax.", "Return logits.", 0)
    told = Status(notices=(notice,), overhead=1.0, elapsed=50.0)
    write_run(directory / "baseline", seed=1, probe_size=2.0, statuses=(told,))
    write_run(directory / "noise", seed=2, probe_size=5.0)
    return directory


def rows(tab: Frame) -> Locator:
    return tab.locator(".pair-table .rows .pair-row")


def wait_for_overview(tab: Frame) -> None:
    tab.locator('button.reload[aria-busy="false"]').wait_for(state="attached")
    tab.locator(".overview-page .example[data-painted]").first.wait_for()


def open_fresh(page: Page, address: str) -> Frame:
    """Open the page as a new user does: without a link."""
    page.goto(f"{address}data/plugin_entry.html?name=gradascent")
    wait_for_overview(page.main_frame)
    return page.main_frame


def test_a_fresh_page_answers_before_any_click(page: Page, served: str) -> None:
    tab = open_fresh(page, served)
    expect(tab.get_by_role("tab", name="Overview")).to_have_attribute("aria-selected", "true")
    expect(tab.locator(".conclusion")).to_have_text(
        "At steps 600 to 900 the networks hesitate most between 7 and 9: 16 captures, 8 of them "
        "wrong; half of them flip within a distance of 1.1 (it was 0.7 at steps 299 to 599). "
        "On the 8 shared probes noise is harder to flip than baseline: 5 against 2."
    )
    tiles = tab.locator(".tile")
    expect(tiles).to_have_count(2)
    expect(tiles.first).to_contain_text("baselinestep 900")
    expect(tiles.first).to_contain_text("100 %8 of 8 probes right")
    expect(tiles.first).to_contain_text("2distance to flip a probe")
    expect(tiles.first).to_contain_text("2 % overhead")
    expect(tiles.first).to_contain_text("1 notice")
    expect(tiles.nth(1)).to_contain_text("5distance to flip a probe")
    expect(tiles.nth(1)).not_to_contain_text("notice")
    first = rows(tab).first
    assert first.get_attribute("data-pair") == "7-9"
    expect(first.locator(".capture-count strong")).to_have_text("16")
    expect(first.locator(".wrong-count")).to_have_text("8")
    expect(first.locator(".distance")).to_have_text("1.1▲ was 0.7")
    expect(first.locator(".robust")).to_have_text("0 % fragile")
    expect(first.locator(".example[data-painted]")).to_have_count(4)
    canvases = first.locator(".example").first.locator("canvas")
    original, morph = (read_pixels(canvases.nth(at), 0, 0, 28, 28) for at in range(2))
    assert np.ptp(original) > 100, "the original is painted"
    assert np.abs(original - morph).max() > 5, "the morph stands beside it"
    suspects = tab.locator(".suspects .example")
    expect(suspects.first).to_contain_text("labelled 1says 8 60 %6 times in 2 runstest/21")
    suspects.first.click()
    expect(tab.get_by_role("dialog")).to_contain_text("test/21")
    page.keyboard.press("Escape")
    expect(suspects.first).to_be_focused()


def test_the_range_of_steps_applies_to_the_whole_view_and_is_in_the_link(
    page: Page, served: str
) -> None:
    tab = open_page(page, served, view="overview")
    wait_for_overview(tab)
    tab.get_by_role("button", name="All steps").click()
    expect(tab.locator(".conclusion")).to_contain_text("At steps 0 to 900 ")
    expect(rows(tab).first.locator(".capture-count strong")).to_have_text("40")
    expect(tab.locator(".suspects li")).to_have_count(11)
    last = tab.get_by_role("slider", name="Last step").first
    last.focus()
    page.keyboard.press("Home")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(tab.locator(".range-caption")).to_have_text("steps 0 to 200")
    expect(tab.locator(".conclusion")).to_contain_text("At steps 0 to 200 ")
    expect(rows(tab).first.locator(".capture-count strong")).to_have_text("12")
    expect(tab.locator(".suspects")).not_to_contain_text("test/21")
    page.wait_for_url("**p.gradascent.range=0..200*")
    page.reload()
    expect(tab.locator(".conclusion")).to_contain_text("At steps 0 to 200 ")
    brush = tab.locator(".range-track .brush").bounding_box()
    assert brush
    x, y = brush["x"], brush["y"] + brush["height"] / 2
    page.mouse.move(x + 0.42 * brush["width"], y)
    page.mouse.down()
    page.mouse.move(x + 0.9 * brush["width"], y, steps=4)
    page.mouse.up()
    expect(tab.locator(".range-caption")).to_have_text("steps 400 to 800")
    tab.get_by_role("button", name="Latest third").click()
    expect(tab.locator(".conclusion")).to_contain_text("At steps 600 to 900 ")


def test_a_narrow_toolbar_takes_one_row_and_keeps_the_choice_of_steps(
    page: Page, served: str
) -> None:
    page.set_viewport_size({"width": 1024, "height": 800})
    tab = open_fresh(page, served)
    bar = tab.locator(".bar").bounding_box()
    assert bar is not None
    assert bar["height"] < 50
    everything = tab.get_by_role("button", name="All steps")
    expect(everything).to_be_hidden()
    caption = tab.locator(".range-button")
    caption.click()
    everything.click()
    expect(caption).to_contain_text("steps 0 to 900")
    page.keyboard.press("Escape")
    expect(everything).to_be_hidden()
    expect(caption).to_be_focused()


def test_a_pair_opens_by_click_key_and_link_and_back_undoes_it(page: Page, served: str) -> None:
    tab = open_fresh(page, served)
    rows(tab).first.locator(".capture-count").click()
    title = tab.locator(".pair-title h2")
    expect(title).to_have_text("7 ↔ 9")
    expect(tab.get_by_role("tab", name="Overview")).to_have_attribute("aria-selected", "true")
    page.wait_for_url("**p.gradascent.view=pair&p.gradascent.between=7-9*")
    page.go_back()
    expect(tab.locator(".overview-page")).to_be_visible()
    expect(title).to_be_hidden()
    page.go_forward()
    expect(title).to_have_text("7 ↔ 9")
    tab.get_by_role("button", name="‹ Overview").click()
    # No button has the focus, so the keys go to the rows.
    tab.locator(".overview-page").focus()
    for key in ("ArrowDown", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    expect(title).to_have_text("3 ↔ 5")
    linked = open_page(page, served, view="pair", between="9-7")
    expect(linked.locator(".pair-title h2")).to_have_text("9 ↔ 7")
    expect(linked.locator(".pair-facts")).to_contain_text("16 captures")
    unknown = open_page(page, served, view="pair", between="0-2")
    expect(unknown.locator(".pair-view .nothing")).to_contain_text(
        "No confused sample between 0 and 2 was captured at steps 600 to 900."
    )


@pytest.mark.slow
def test_back_in_tensorboard_undoes_a_choice_and_does_not_leave_it(page: Page, served: str) -> None:
    tab = open_tab(page, served, view="overview")
    wait_for_overview(tab)
    rows(tab).first.locator(".capture-count").click()
    expect(tab.locator(".pair-title h2")).to_have_text("7 ↔ 9")
    page.wait_for_url("**p.gradascent.between=7-9*")
    page.go_back()
    expect(tab.locator(".overview-page")).to_be_visible()
    assert page.url.startswith(f"{served}")
    expect(page.locator('iframe[src*="gradascent"]')).to_be_visible()


def test_the_pair_view_shows_both_directions_by_flip_distance(page: Page, served: str) -> None:
    tab = open_page(page, served, view="pair", between="7-9", range="0..")
    tab.locator(".pair-line .example[data-painted]").first.wait_for()
    heads = tab.locator(".column-head")
    expect(heads.first).to_contain_text("Said 7 → 9")
    expect(heads.first).to_contain_text("20 are near 9")
    expect(heads.nth(1)).to_contain_text("Said 9 → 7")
    expect(heads.nth(1)).to_contain_text("20 are labelled 7: wrong")
    words = tab.locator(".pair-cell:first-child .example-words")
    told = [float(text.split("distance of ")[1].split()[0][:4]) for text in lines_of(words)]
    assert told == sorted(told)
    assert told[0] == 0.2
    expect(tab.locator(".pair-cell:last-child .example.is-wrong").first).to_be_visible()
    means = tab.locator(".mean-panel")
    expect(means.first).to_have_attribute("data-averaged", "20")
    expect(means.first).to_contain_text("What it takes to become 9: the mean of 20 changes.")
    pixels = read_pixels(means.first.locator("canvas").nth(1), 0, 0, 28, 28)
    assert np.ptp(pixels) > 50, "the mean change is painted"
    expect(tab.locator(".scatter circle")).to_have_count(20)
    expect(tab.locator(".scatter .cross")).to_have_count(20)
    brush = tab.locator(".scatter-box .brush").bounding_box()
    assert brush
    page.mouse.move(brush["x"] + 0.78 * brush["width"], brush["y"] + 40)
    page.mouse.down()
    page.mouse.move(brush["x"] + brush["width"] - 1, brush["y"] + 40, steps=4)
    page.mouse.up()
    expect(tab.locator(".range-caption")).to_have_text("steps 700 to 900")
    expect(tab.locator(".pair-facts")).to_contain_text("12 captures")
    expect(tab.locator(".scatter circle")).to_have_count(20)
    tab.locator(".pair-view").focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    dialog = tab.get_by_role("dialog")
    expect(dialog).to_contain_text("train/wrong")
    page.keyboard.press("Escape")
    expect(tab.locator(".pair-line .example:focus")).to_have_count(1)
    tab.get_by_role("button", name="Show in Samples").click()
    expect(tab.get_by_role("tab", name="Samples")).to_have_attribute("aria-selected", "true")
    expect(tab.locator(".count")).to_have_text("12 of 226 samples")


def lines_of(words: Locator) -> list[str]:
    return [text for text in words.all_inner_texts() if "distance of" in text]


def test_the_table_is_sorted_searched_and_long(
    page: Page, tmp_path: Path, serve_here: Serve
) -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"a rather long name of the class {index:03}" for index in range(1000))
    pairs = [(at, at + 1 + at % 7) for at in range(0, 900, 3)]
    captures = [
        [
            dataclasses.replace(
                sample,
                classes=np.array([one, other]),
                probabilities=np.array([0.5, 0.3], np.float32),
            )
            for one, other in pairs
            for sample in [
                between(
                    rng, step, 7, 9, label=None, shape=(3, 6, 9), size=1 + one, id=f"{one}-{step}"
                )
            ]
        ]
        for step in (0, 10)
    ]
    info = dataclasses.replace(
        DIGITS, class_names=names, mean=(0.0,) * 3, std=(1.0,) * 3, bounds=((0.0,) * 3, (1.0,) * 3)
    )
    write_session(tmp_path / "run", captures, info=info)
    tab = open_page(page, serve_here(tmp_path).address, view="overview", range="0..")
    wait_for_overview(tab)
    expect(tab.locator(".section-head small").first).to_have_text("300 pairs of classes")
    expect(rows(tab)).to_have_count(6)
    tab.get_by_role("button", name="Show all 300 pairs").click()
    scroller = tab.locator(".overview-page")
    assert rows(tab).count() < 40, "only the rows near the screen exist"
    top = rows(tab).first.get_attribute("aria-rowindex") or ""
    scroller.evaluate("node => node.scrollTop = 10_000")
    expect(rows(tab).last).to_have_attribute("aria-rowindex", re.compile(r"^([1-9]\d\d)$"))
    wait_for_paint(tab)
    assert rows(tab).count() < 60
    assert int(rows(tab).last.get_attribute("aria-rowindex") or 0) > 100
    scroller.evaluate("node => node.scrollTop = 0")
    expect(rows(tab).first).to_have_attribute("aria-rowindex", top)
    name = rows(tab).first.locator(".pair-name")
    box = name.bounding_box()
    assert box
    assert box["height"] < 88, "a long name stays within its row"
    tab.get_by_label("Search pairs").fill("042")
    expect(rows(tab)).to_have_count(1)
    expect(name).to_contain_text("class 042")
    page.wait_for_url("**p.gradascent.find=042*")
    tab.get_by_label("Search pairs").fill("nothing like this")
    expect(tab.locator(".pair-section .nothing")).to_have_text(
        "No pair of classes has these names."
    )
    tab.get_by_label("Search pairs").fill("")
    tab.get_by_role("button", name="Distance to flip").click()
    head = tab.get_by_role("columnheader", name="Distance to flip")
    expect(head).to_have_attribute("aria-sort", "ascending")
    page.wait_for_url("**p.gradascent.pairs=distance*")


def test_the_early_states_say_what_is_missing(
    page: Page, tmp_path: Path, serve_here: Serve
) -> None:
    """One run grows from nothing to something. The page follows without being opened again."""
    rng = np.random.default_rng(0)
    board = serve_here(tmp_path)
    page.goto(f"{board.address}data/plugin_entry.html?name=gradascent")
    tab = page.main_frame
    expect(tab.locator(".empty h1")).to_have_text("No samples yet")
    run = tmp_path / "run"
    write_session(run, [], session="s", start=1.7e9, statuses=[Status(steps=3)])
    grow(board, tab)
    expect(tab.locator(".message")).to_contain_text("no capture yet, 3 steps seen")
    expect(tab.locator(".overview-page")).to_be_hidden()
    first = [between(rng, 0, 7, 9, label=None)]
    write_session(run, [first], session="t", start=1.8e9)
    grow(board, tab)
    wait_for_overview(tab)
    expect(tab.locator(".conclusion")).to_have_text(
        "Too little yet to say what is mixed up most: 1 capture at step 0."
    )
    expect(tab.locator(".early")).to_contain_text("This is the first capture, at step 0.")
    expect(tab.locator(".range-bar")).to_be_hidden()
    expect(tab.locator(".tile .hint")).to_contain_text("No probes: give the hook fixed samples")
    expect(rows(tab)).to_have_count(1)
    expect(rows(tab).locator(".sparkline, .bars")).to_have_count(0)
    expect(tab.locator(".suspect-section .nothing")).to_contain_text("No sample has a label")


def grow(board: Board, tab: Frame) -> None:
    board.read()
    press_reload(tab)


def test_probes_alone_are_no_pairs(page: Page, tmp_path: Path, serve_here: Serve) -> None:
    rng = np.random.default_rng(0)
    captures = [
        [between(rng, step, 4, 6, label=4, id=f"p{at}", probe=True) for at in range(6)]
        for step in (0, 10)
    ]
    write_session(tmp_path / "run", captures, info=metadata.SessionInfo())
    tab = open_page(page, serve_here(tmp_path).address, view="overview")
    expect(tab.locator(".conclusion")).to_have_text(
        "No confused samples were captured at steps 6 to 10."
    )
    expect(tab.locator(".pair-section .nothing")).to_contain_text("Only probes were captured")
    expect(tab.locator(".suspect-section .nothing")).to_have_text(
        "No captured sample is wrong at steps 6 to 10."
    )
    expect(tab.locator(".tile")).to_contain_text("6 of 6 probes right")


def test_a_link_made_before_there_was_an_overview_opens_samples(page: Page, served: str) -> None:
    page.goto(f"{served}data/plugin_entry.html?name=gradascent#gradascent&p.gradascent.sort=margin")
    tab = page.main_frame
    expect(tab.get_by_role("tab", name="Samples")).to_have_attribute("aria-selected", "true")
    tab.locator(".grid .sample[data-painted]").first.wait_for()
