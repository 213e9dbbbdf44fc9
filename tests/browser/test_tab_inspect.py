"""Inspect samples on the page, by pointer and by keyboard: one large, over time, in two runs."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent import Sample, read_samples
from testing.board import Board
from testing.browser import (
    open_page,
    percent,
    read_pixels,
    set_strength,
    strength_words,
    wait_for_paint,
    wait_for_samples,
)
from testing.synthetic import make_captures, make_sample, write_session

pytestmark = pytest.mark.browser

LOW, HIGH = -0.4242, 2.8215
"""The values that are painted black and white: the bounds of ``synthetic.DIGITS``."""
PROBES = ("seven", "three")


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs with the same two probes at five steps each, and other samples beside them."""
    directory = tmp_path_factory.mktemp("inspected")
    rng = np.random.default_rng(3)
    for run, shift in (("first", 0), ("second", 10)):
        captures = make_captures(5, 3, seed=shift)
        for place, capture in enumerate(captures):
            step = 100 * place + shift
            capture[:] = [make_sample(rng, step=step, id=f"{run}/{step}/{i}") for i in range(3)]
            capture += [make_sample(rng, step=step, id=id, probe=True) for id in PROBES]
        write_session(directory / run, captures, session=f"session-{run}", start=1.7e9)
    return directory


@pytest.fixture(scope="module")
def recorded(logdir: Path) -> dict[str, Sample]:
    """All samples, by the keys that the page gives them. A capture is made every 100 steps."""
    found = {}
    for sample in read_samples(logdir):
        address = f"session-{sample.run}.{sample.step // 100}.{sample.index}"
        found[f"{sample.run}|{sample.tag}|{address}"] = sample
    return found


@pytest.fixture
def tab(page: Page, served: str) -> Frame:
    """The page with its first samples painted."""
    tab = open_page(page, served)
    wait_for_samples(tab)
    return tab


def open_first(tab: Frame) -> Locator:
    """Open the first sample, and wait until its pictures are painted."""
    tab.locator(".sample").first.locator("h2").click()
    detail = tab.get_by_role("dialog")
    detail.locator('[data-part="original"][data-painted]').wait_for()
    return detail


def shown_in(detail: Locator) -> str:
    """Return the key of the sample in the detail view, from the link that the view copies."""
    detail.page.evaluate("navigator.clipboard.writeText('nothing')")
    detail.get_by_role("button", name="Copy link").click()
    expect(detail.get_by_text("copied", exact=True)).to_be_visible()
    link = detail.page.evaluate("navigator.clipboard.readText()")
    found = re.search(r"p\.gradascent\.selected=([^&]+)", link)
    assert found, link
    return found[1].replace("%7C", "|")


@pytest.fixture(autouse=True)
def clipboard(page: Page) -> None:
    """Grant what the browser would otherwise ask its user."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])


def display(sample: Sample, values: np.ndarray) -> np.ndarray:
    """Convert model units to display units; shape (height, width) of the first channel."""
    assert sample.mean is not None
    assert sample.std is not None
    return np.asarray(values[0], np.float64) * sample.std[0] + sample.mean[0]


def test_the_pictures_are_large_and_exact_at_another_strength(
    tab: Frame, recorded: dict[str, Sample]
) -> None:
    detail = open_first(tab)
    sample = recorded[shown_in(detail)]
    detail.locator("#detail-strength").fill("0.5")
    low, high = LOW, HIGH
    for place, target in enumerate(sample.targets):
        detail.get_by_role("tab", name=str(target.index), exact=True).click()
        frame = detail.locator(f'[data-part="morph-{place}"][data-painted="0.50"]')
        frame.wait_for()
        box = frame.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 200
        assert target.delta is not None
        levels = (sample.image[0] + 0.5 * target.delta[0] - low) / (high - low) * 255
        painted = read_pixels(frame.locator("canvas").first, 0, 0, 28, 28)[..., 0]
        assert np.abs(painted - np.clip(levels, 0, 255)).max() <= 1
    expect(detail.locator("output")).to_have_text("50 % of the change")
    expect(tab.locator('output[for="strength"]')).to_have_text("100 % of the change")
    detail.get_by_role("button", name="Close").click()
    painted = tab.locator(".sample[data-painted]").evaluate_all(
        "cards => cards.map(card => card.dataset.painted)"
    )
    assert painted[0] == "0.50"
    assert set(painted[1:]) == {"1.00"}, "the slider changes only its own sample"


def test_the_large_view_is_a_workbench(tab: Frame, recorded: dict[str, Sample]) -> None:
    """It fits on the screen, shows one target at a time, and leads to other samples."""
    tab.locator("#search").fill("three")
    expect(tab.locator(".count")).to_contain_text("10 of")
    detail = open_first(tab)
    content = detail.locator(".dialog-content")
    over = content.evaluate(
        "one => [one.scrollHeight - one.clientHeight, one.scrollWidth - one.clientWidth]"
    )
    assert over == [0, 0]
    sample = recorded[shown_in(detail)]
    eight, five = (detail.get_by_role("tab", name=name, exact=True) for name in ("8", "5"))
    eight.click()
    expect(detail.locator('[data-part="morph-0"]')).to_be_visible()
    expect(detail.locator('[data-part="gradient-1"]')).to_be_hidden()
    eight.press("ArrowRight")
    expect(five).to_be_focused()
    expect(detail.locator('[data-part="gradient-1"]')).to_be_visible()
    expect(detail.locator('[data-part="morph-0"]')).to_be_hidden()
    history = sorted(
        (one for one in recorded.values() if (one.run, one.id) == (sample.run, "three")),
        key=lambda one: one.step,
    )
    dots = detail.locator(".capture")
    expect(dots).to_have_count(len(history))
    expect(detail.locator('.capture[aria-current="true"]')).to_have_attribute(
        "title", re.compile(f"^step {sample.step}: ")
    )
    dots.first.click()
    expect(dots.first).to_have_attribute("aria-current", "true")
    assert recorded[shown_in(detail)].step == history[0].step
    link = detail.locator("button", has_text="All between")
    expect(link).to_be_hidden()  # A probe is of no pair.
    detail.get_by_role("button", name="Close").click()
    tab.locator("#search").fill("first/0/0")
    expect(tab.locator(".count")).to_contain_text("1 of")
    detail = open_first(tab)
    own = recorded[shown_in(detail)]
    said, second = map(int, own.classes[:2])
    other = second if own.label is None or own.label == said else own.label
    link.click()
    expect(detail).to_be_hidden()
    low, high = sorted((said, other))
    expect(tab.get_by_role("heading", name=f"{low} ↔ {high}")).to_be_visible()
    expect(tab.locator(".pair-cell").first).to_be_visible()


def test_the_readout_shows_the_recorded_values_in_both_units(
    tab: Frame, recorded: dict[str, Sample]
) -> None:
    set_strength(tab, 0.5)
    detail = open_first(tab)
    sample = recorded[shown_in(detail)]
    detail.get_by_role("tab", name="8", exact=True).click()
    expect(detail.locator(".readout")).to_be_hidden()
    frame = detail.locator('[data-part="gradient-0"]')
    box = frame.bounding_box()
    assert box is not None
    assert sample.std is not None
    gradient, delta, std = sample.targets[0].gradient, sample.targets[0].delta, sample.std[0]
    assert delta is not None
    morph = np.clip(sample.image + np.float32(0.5) * delta, LOW, HIGH)

    def check(x: int, y: int) -> None:
        expect(detail.locator(".readout caption")).to_have_text(f"at column {x}, row {y}")
        expected = {
            "original": (sample.image[0, y, x], display(sample, sample.image)[y, x]),
            "gradient → 8": (gradient[0, y, x], gradient[0, y, x] / std),
            "delta → 8": (delta[0, y, x], delta[0, y, x] * std),
            "morph → 8": (morph[0, y, x], display(sample, morph)[y, x]),
        }
        for name, values in expected.items():
            row = detail.locator(".readout tr", has=tab.get_by_text(name, exact=True))
            shown = [float(text) for text in row.locator("td").all_inner_texts()]
            np.testing.assert_allclose(shown, values, rtol=1e-3, atol=1e-6)

    frame.hover(position={"x": 10.5 / 28 * box["width"], "y": 20.5 / 28 * box["height"]})
    check(10, 20)
    expect(detail.locator(".readout")).to_be_visible()
    detail.get_by_role("heading").first.hover()
    expect(detail.locator(".readout")).to_be_hidden()
    frame.hover(position={"x": 10.5 / 28 * box["width"], "y": 20.5 / 28 * box["height"]})
    frame.focus()
    frame.press("ArrowRight")
    frame.press("ArrowUp")
    frame.press("ArrowUp")
    check(11, 18)
    frame.press("Shift+ArrowLeft")
    check(1, 18)


def test_the_detail_view_lists_all_probabilities_and_numbers(
    tab: Frame, recorded: dict[str, Sample]
) -> None:
    set_strength(tab, 0.75)
    detail = open_first(tab)
    sample = recorded[shown_in(detail)]
    detail.get_by_role("tab", name="8", exact=True).click()
    rows = detail.locator(".probabilities tbody tr")
    expect(rows).to_have_count(len(set(sample.classes) | {8, 5}))
    for place, (index, probability) in enumerate(
        zip(sample.classes, sample.probabilities, strict=True)
    ):
        row = rows.nth(place)
        expect(row.get_by_role("rowheader")).to_have_text(re.compile(rf"^{index}( \(label\))?$"))
        assert row.locator("td").first.inner_text() == percent(probability)
    (at,) = np.flatnonzero(sample.targets[0].strengths == 0.75)
    eight = detail.locator(".probabilities tr", has=tab.locator("th", has_text=re.compile(r"^8\b")))
    expect(eight.locator("td").nth(1)).to_have_text(percent(sample.targets[0].probabilities[at]))
    still = sample.targets[0].original_probabilities[at]
    expect(eight.locator("td").nth(2)).to_have_text(percent(still))
    expect(detail.locator(".probabilities thead")).to_contain_text(f"still {sample.classes[0]}")
    words = "\n".join(detail.locator("dl.facts").all_inner_texts()).split("\n")
    time = datetime.fromtimestamp(sample.wall_time, timezone.utc)
    for expected in (
        sample.run,
        sample.tag,
        sample.id,
        f"{sample.step:,}",
        time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "reached the confidence after 3 steps",
    ):
        assert expected in words, expected
    target = sample.targets[0]
    for name, number in (
        ("gradient norm", target.gradient_norm),
        ("delta norm", target.delta_norm),
        ("flip distance", target.flip_distance),
    ):
        # The page has the norms of the exact arrays, read_samples those of the stored arrays.
        assert float(words[words.index(name) + 1]) == pytest.approx(number, rel=5e-3)


def test_the_keyboard_moves_through_the_grid_and_the_detail_view(page: Page, tab: Frame) -> None:
    def focused() -> str | None:
        key: str | None = tab.evaluate("document.activeElement.dataset.sample ?? null")
        return key

    tab.locator(".grid").focus()
    page.keyboard.press("ArrowRight")
    first = focused()
    assert first
    page.keyboard.press("ArrowRight")
    second = focused()
    assert second
    assert second != first
    page.keyboard.press("Enter")
    detail = tab.get_by_role("dialog")
    detail.locator('[data-part="original"][data-painted]').wait_for()
    assert shown_in(detail) == second
    page.keyboard.press("ArrowLeft")
    expect(detail.locator(".position")).to_have_text("1 of 50")
    assert shown_in(detail) == first
    page.keyboard.press("-")
    expect(detail.locator("output")).to_have_text("95 % of the change")
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    tab.wait_for_function("key => document.activeElement.dataset.sample === key", arg=first)
    page.keyboard.press("End")
    last = focused()
    assert last not in (None, first)
    assert tab.locator(".grid").evaluate("grid => grid.scrollTop") > 0
    box = tab.locator(f'.sample[data-sample="{last}"]').bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 900
    page.keyboard.press("Home")
    assert focused() == first


def test_keys_in_a_field_change_the_field(page: Page, tab: Frame) -> None:
    tab.locator("#strength").focus()
    page.keyboard.press("ArrowLeft")
    expect(tab.locator('output[for="strength"]')).not_to_have_text("100 % of the change")
    tab.locator("#sort").focus()
    page.keyboard.press("End")
    assert tab.evaluate("document.activeElement.id") == "sort"


def strength_of(tab: Frame) -> float:
    return float(tab.locator("#strength").input_value())


def assert_stands_still(tab: Frame) -> None:
    wait_for_paint(tab)
    strength = strength_of(tab)
    wait_for_paint(tab)
    assert strength_of(tab) == strength


def test_the_space_bar_plays_and_pauses(page: Page, tab: Frame) -> None:
    for place in (".sample", ".grid", "nothing"):
        if place == "nothing":
            tab.locator("p.count").click()
        else:
            tab.locator(place).first.focus()
        before = strength_of(tab)
        page.keyboard.press("Space")
        expect(tab.get_by_role("button", name="Pause")).to_be_visible()
        expect(tab.locator('output[for="strength"]')).not_to_have_text(strength_words(before))
        page.keyboard.press("Space")
        expect(tab.get_by_role("button", name="Play")).to_be_visible()
        assert_stands_still(tab)
        assert tab.locator(".grid").evaluate("grid => grid.scrollTop") == 0, "it does not scroll"


def test_the_space_bar_plays_the_large_morphs_too(page: Page, tab: Frame) -> None:
    detail = open_first(tab)
    page.keyboard.press("Space")
    expect(detail.locator("output")).not_to_have_text("100 % of the change")
    page.keyboard.press("Space")
    assert_stands_still(tab)
    expect(detail).to_be_visible()


def test_the_space_bar_in_a_field_or_on_a_button_does_not_play(page: Page, tab: Frame) -> None:
    for node in (
        "#search",
        "#sort",
        "#strength",
        'input[name="run"]',
        "button.reload",
        ".appearance summary",
        ".sample .curve",
        ".matrix [role=gridcell]",
    ):
        tab.locator(node).first.focus()
        page.keyboard.press("Space")
        wait_for_paint(tab)
        expect(tab.get_by_role("button", name="Play")).to_be_visible()
        if node == "#search":
            assert tab.locator(node).input_value() == " "
        page.keyboard.press("Escape")  # what it opened
    assert strength_of(tab) == 1
    assert not tab.locator('input[name="run"]').first.is_checked()
    play = tab.get_by_role("button", name=re.compile("Play|Pause"))
    play.focus()
    page.keyboard.press("Space")
    expect(play).to_have_accessible_name("Pause")
    page.keyboard.press("Space")
    expect(play).to_have_accessible_name("Play")


def signed_margin(sample: Sample) -> float:
    """Return the label's probability minus that of the most probable other class."""
    of = dict(zip(sample.classes.tolist(), sample.probabilities.tolist(), strict=True))
    assert sample.label is not None
    return float(of.pop(sample.label) - max(of.values()))


def test_a_sample_is_followed_through_training(
    page: Page, tab: Frame, recorded: dict[str, Sample]
) -> None:
    tab.get_by_role("tab", name="Over training").click()
    strips = tab.locator(".strip")
    expect(strips).to_have_count(4)  # two probes in each of two runs, and nothing else
    strip = tab.locator('.strip[data-history="three"]', has_text="second")
    strip.locator(".frame[data-painted]").nth(4).wait_for()
    expect(strip.locator(".frame")).to_have_count(5)
    history = sorted(
        (sample for sample in recorded.values() if (sample.run, sample.id) == ("second", "three")),
        key=lambda sample: sample.step,
    )
    heights = []
    for frame, sample in zip(strip.locator(".frame").all(), history, strict=True):
        wrong = sample.classes[0] != sample.label
        said = f"{sample.classes[0]} {percent(sample.probabilities[0])}"
        expect(frame).to_contain_text(f"step {sample.step}")
        expect(frame).to_contain_text(f"{said} ✗" if wrong else said)
        heights.append(float(frame.locator("circle").get_attribute("cy") or "nan"))
        # The frame shows the label's gradient, or the first if that was not recorded.
        target = next(
            (one for one in sample.targets if one.index == sample.label), sample.targets[0]
        )
        painted = read_pixels(frame.locator("canvas").first, 0, 0, 28, 28)
        share = target.gradient[0] / np.abs(target.gradient).max()
        redness = painted[..., 0] - painted[..., 2]
        assert (redness[share > 0.1] > 0).all()
        assert (redness[share < -0.1] < 0).all()
    margins = [signed_margin(sample) for sample in history]
    slope = np.polyfit(margins, heights, 1)
    np.testing.assert_allclose(np.polyval(slope, margins), heights, atol=1e-3)
    assert slope[0] < 0  # the larger, the higher on the screen
    strip.locator(".frame").nth(2).click()
    detail = tab.get_by_role("dialog")
    assert recorded[shown_in(detail)].step == history[2].step
    page.keyboard.press("Escape")
    tab.locator("#frames").select_option("morph")
    tab.locator("#strength").fill("0.5")
    frame = strip.locator('.frame[data-painted="0.50"]').first
    frame.wait_for()
    sample = history[0]
    target = next((one for one in sample.targets if one.index == sample.label), sample.targets[0])
    assert target.delta is not None
    levels = (sample.image[0] + 0.5 * target.delta[0] - LOW) / (HIGH - LOW) * 255
    painted = read_pixels(frame.locator("canvas").first, 0, 0, 28, 28)[..., 0]
    assert np.abs(painted - np.clip(levels, 0, 255)).max() <= 2


def test_filters_apply_to_the_followed_samples(tab: Frame) -> None:
    tab.get_by_role("tab", name="Over training").click()
    expect(tab.locator(".strip")).to_have_count(4)
    tab.locator("#search").fill("three")
    expect(tab.locator(".strip")).to_have_count(2)
    tab.locator("#search").fill("first/0/")
    expect(tab.locator(".strip")).to_have_count(0)
    expect(tab.locator(".follow .note")).to_contain_text("hook.probe")


def test_the_steps_play_at_one_place_and_stop_at_the_newest(page: Page, tab: Frame) -> None:
    page.set_viewport_size({"width": 700, "height": 900})
    tab.get_by_role("tab", name="Over training").click()
    tab.locator(".frame[data-painted]").first.wait_for()
    head = tab.locator(".strip-head").first.bounding_box()
    assert head is not None
    tab.get_by_role("button", name="Play the steps").click()
    # The step beside the head of the first row, each time that another one stands there.
    seen: list[str] = tab.evaluate(
        """([x, y]) => new Promise((then) => {
            const seen = [];
            const look = () => {
                const frame = document.elementFromPoint(x, y)?.closest(".frame");
                const step = frame?.querySelector(".frame-step").textContent;
                if (step && step !== seen.at(-1)) seen.push(step);
                const { ariaLabel } = document.querySelector(".play-steps");
                if (ariaLabel.startsWith("Pause")) requestAnimationFrame(look);
                else then(seen);
            };
            look();
        })""",
        [head["x"] + head["width"] + 40, head["y"] + 80],
    )
    steps = [int(words.removeprefix("step ").replace(",", "")) for words in seen]
    assert len(steps) == 5, "one step after the other"
    assert steps == sorted(steps)


def test_the_arrows_move_along_a_filmstrip(page: Page, tab: Frame) -> None:
    tab.get_by_role("tab", name="Over training").click()
    tab.locator(".frame[data-painted]").first.wait_for()
    tab.locator(".strips").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    focused = tab.evaluate("document.activeElement.ariaLabel")
    assert focused.startswith(("step 100:", "step 110:"))
    page.keyboard.press("Enter")
    expect(tab.get_by_role("dialog")).to_be_visible()


def test_two_runs_are_compared_on_the_same_samples(tab: Frame, recorded: dict[str, Sample]) -> None:
    tab.get_by_role("tab", name="Compare").click()
    expect(tab.locator(".compare [role=status]")).to_have_text(
        "10 of 10 pairs; 15 samples of first and 15 samples of second have no partner"
    )
    pairs = tab.locator(".pair")
    pairs.first.locator(".sample[data-painted]").nth(1).wait_for()
    for pair in pairs.all():
        keys = [card.get_attribute("data-sample") or "" for card in pair.locator(".sample").all()]
        first, second = (recorded[key] for key in keys)
        assert (first.run, second.run) == ("first", "second")
        assert first.id == second.id
        assert second.step - first.step == 10
        words = pair.locator(".differences").inner_text()
        assert f"steps {first.step} | {second.step}" in words
        if first.classes[0] == second.classes[0]:
            assert f"both predict {first.classes[0]}" in words
        else:
            assert f"predictions {first.classes[0]} | {second.classes[0]}" in words
        assert "signed margin" in words
    tab.locator("#compared-first").select_option("second")
    expect(tab.locator(".compare .note")).to_contain_text("two different runs")
    tab.locator("#compared-second").select_option("first")
    expect(pairs.first.locator(".sample").first).to_have_attribute(
        "data-sample", re.compile("^second")
    )


def test_compare_concludes_first(
    page: Page, tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    """Fixed and broken samples are counted, and each count is a choice; three runs are a table."""
    rng = np.random.default_rng(3)
    samples = [make_sample(rng, id=f"s/{place}") for place in range(4)]
    samples = [
        dataclasses.replace(one, label=int(one.classes[place % 2]))
        for place, one in enumerate(samples)
    ]
    flipped = [
        dataclasses.replace(
            one, label=samples[place].label, classes=one.classes[[1, 0, *range(2, 10)]]
        )
        for place, one in enumerate(samples[:2])
    ]
    write_session(tmp_path / "old", [samples], session="old", start=1.7e9)
    board = serve_here(tmp_path)
    tab = open_page(page, board.address, view="compare")
    expect(tab.locator(".compare .note")).to_contain_text("So far one run has this")
    write_session(tmp_path / "new", [[*flipped, *samples[2:]]], session="new", start=1.7e9)
    board.read()
    tab.locator("button.reload").click()
    expect(tab.locator(".outcome")).to_have_text(
        "old fixes 1 and breaks 1 of the 4 samples that it shares with new."
    )
    words = {"fixed": 1, "broke": 1, "both wrong": 1, "both right": 1}
    expect(tab.locator(".change")).to_have_text(
        [f"{count} {what}" for what, count in words.items()]
    )
    count = tab.locator(".compare [role=status]")
    expect(count).to_contain_text("4 of 4 pairs")
    broke = tab.get_by_role("button", name="1 broke")
    broke.click()
    expect(count).to_contain_text("1 of 4 pairs")
    expect(tab.locator(".pair")).to_have_count(1)
    expect(tab.locator(".pair h2 .wrong")).to_have_count(1)
    originals = tab.locator(".pair canvas.panels").evaluate_all(
        "all => all.map(one => JSON.parse(one.dataset.panels).image !== null)"
    )
    assert originals == [True, False], "the original is drawn once"
    page.wait_for_url("**p.gradascent.change=broke*")
    broke.click()
    expect(count).to_contain_text("4 of 4 pairs")
    write_session(tmp_path / "third", [samples], session="third", start=1.7e9)
    board.read()
    tab.locator("button.reload").click()
    table = tab.get_by_role("region", name="Samples in several runs")
    expect(table.locator("thead th")).to_have_text(["sample", "new", "old", "third"])
    expect(table.locator("tbody tr")).to_have_count(4)
    table.locator("tbody button").first.click()
    expect(tab.get_by_role("dialog")).to_be_visible()


def test_runs_without_a_common_id_say_what_to_do(
    page: Page, tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    for seed, run in enumerate(("one", "two")):
        rng = np.random.default_rng(seed)
        samples = [make_sample(rng, id=f"{run}/{place}") for place in range(2)]
        write_session(tmp_path / run, [samples], start=1.7e9)
    tab = open_page(page, serve_here(tmp_path).address)
    tab.get_by_role("tab", name="Compare").click()
    expect(tab.locator(".compare .note")).to_contain_text("Give the hook the same ids")
    expect(tab.locator(".pair")).to_have_count(0)


def test_a_sample_opens_at_the_moment_in_which_one_closes(page: Page, tab: Frame) -> None:
    """The same sample or another, before the browser's ``close`` event, which is a later task."""
    for way, place in itertools.product(("Escape", "button", "beside"), (0, 1)):
        detail = open_first(tab)
        title = tab.locator(".sample h2").nth(place).text_content()
        tab.evaluate(
            """place => {
                const dialog = document.querySelector("dialog[open]");
                window.closeWasTold = new Promise((resolve) => {
                    const observer = new MutationObserver(() => {
                        if (dialog.open) return;
                        observer.disconnect();
                        dialog.addEventListener("close", () => setTimeout(resolve));
                        document.querySelectorAll(".sample h2")[place].click();
                    });
                    observer.observe(dialog, { attributes: true });
                });
            }""",
            place,
        )
        if way == "Escape":
            page.keyboard.press("Escape")
        elif way == "button":
            detail.get_by_role("button", name="Close").click()
        else:
            box = detail.bounding_box()
            assert box is not None
            page.mouse.click(box["x"] - 8, box["y"] + 20)
        tab.evaluate("closeWasTold")
        expect(detail).to_be_visible()
        assert detail.get_by_role("heading").first.text_content() == title
        detail.locator('[data-part="original"][data-painted]').wait_for()
        page.keyboard.press("Escape")
        expect(detail).to_be_hidden()


def test_a_link_opens_the_sample_again(page: Page, tab: Frame, recorded: dict[str, Sample]) -> None:
    detail = open_first(tab)
    detail.get_by_role("button", name="Next sample").click()
    expect(detail.locator(".position")).to_have_text("2 of 50")
    key = shown_in(detail)
    link = page.evaluate("navigator.clipboard.readText()")
    page.goto("about:blank")
    page.goto(link)
    expect(detail.locator(".position")).to_have_text("2 of 50")
    assert shown_in(detail) == key


def test_a_card_that_is_redrawn_keeps_the_focus(page: Page, tab: Frame) -> None:
    card = tab.locator(".sample").first
    card.focus()
    width = card.locator("canvas").evaluate("canvas => canvas.clientWidth")
    tab.locator("#zoom").evaluate(  # which does not take the focus
        """zoom => {
            zoom.value = "1";
            zoom.dispatchEvent(new Event("change", { bubbles: true }));
        }"""
    )
    expect(card.locator("canvas")).not_to_have_js_property("clientWidth", width)
    expect(card).to_be_focused()
    page.keyboard.press("Enter")
    expect(tab.get_by_role("dialog")).to_be_visible()


def test_samples_that_were_filtered_out_for_less_than_a_frame_are_shown_again(tab: Frame) -> None:
    """The browser lays out nothing in between, so no observer of sizes is called."""
    search = """(search, texts) => {
        for (const text of texts) {
            search.value = text;
            search.dispatchEvent(new Event("input", { bubbles: true }));
        }
    }"""

    def search_for(shown: str, *texts: str) -> list[str]:
        tab.locator("#search").evaluate(search, list(texts))
        wait_for_paint(tab)
        names: list[str] = tab.locator(shown).evaluate_all(
            "(nodes) => nodes.map(({ dataset }) => dataset.sample ?? dataset.history).sort()"
        )
        return names

    for view, shown in (
        ("Samples", ".grid article.sample"),
        ("Over training", ".follow .strip"),
        ("Compare runs", ".compare article.sample"),
    ):
        search_for(shown, "")
        tab.get_by_role("tab", name=view).click()
        tab.locator(shown).first.wait_for()
        assert search_for(shown, "nobody is called so") == []
        expected = search_for(shown, "seven")
        assert expected
        assert search_for(shown, "three") != expected
        assert search_for(shown, "nobody is called so", "seven") == expected
