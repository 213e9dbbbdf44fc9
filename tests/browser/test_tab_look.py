"""How the page shows samples: pixels and words on the screen of a real Chromium."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Browser, Frame, Locator, Page, expect

from tb_gradascent import Sample, read_samples
from testing.board import Board
from testing.browser import (
    choose_appearance,
    open_page,
    read_panel,
    read_pixels,
    set_strength,
    set_theme,
    wait_for_paint,
    wait_for_samples,
)
from testing.synthetic import DIGITS, STRENGTHS, make_sample, write_session

pytestmark = pytest.mark.browser

Pixels = npt.NDArray[np.int64]
TAGS: dict[str, dict[str, Any]] = {
    "digits": {},
    "all": {"targets": tuple(range(10))},
    "named": {"targets": tuple(range(10))},
    "photos": {"shape": (3, 224, 224)},
    "signals": {"shape": (2, 300)},
}
LONG_NAMES = dataclasses.replace(
    DIGITS, class_names=tuple(f"soft-coated wheaten terrier {index}" for index in range(10))
)
LOW, HIGH = -0.4242, 2.8215
"""The values that are painted black and white: the bounds of ``synthetic.DIGITS``."""


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run with a tag for each kind of sample."""
    directory = tmp_path_factory.mktemp("looked-at")
    rng = np.random.default_rng(5)
    for tag, options in TAGS.items():
        captures = [
            [make_sample(rng, step=10 * step, id=f"{tag}/{place}", **options) for place in range(3)]
            for step in range(2)
        ]
        if tag == "digits":
            # One sample's gradients are far weaker than the others'.
            weak = captures[1][0]
            fainter = [
                dataclasses.replace(target, gradient=target.gradient / np.float32(50))
                for target in weak.targets
            ]
            captures[1][0] = dataclasses.replace(weak, targets=tuple(fainter))
        info = LONG_NAMES if tag == "named" else DIGITS
        write_session(directory / "run", captures, tag=tag, session=f"session-{tag}", info=info)
    return directory


@pytest.fixture(scope="module")
def recorded(logdir: Path) -> dict[str, Sample]:
    """All samples, by the keys that the page gives them."""
    return {
        f"run|{sample.tag}|session-{sample.tag}.{sample.step // 10}.{sample.index}": sample
        for sample in read_samples(logdir)
    }


@pytest.fixture
def look(page: Page, served: str) -> Callable[..., Frame]:
    """Opens the page with the choices of a link, and waits for the first painted sample."""

    def open_painted(**link: str) -> Frame:
        tab = open_page(page, served, **link)
        wait_for_samples(tab)
        return tab

    return open_painted


def first(tab: Frame) -> Locator:
    """Return the first card."""
    return tab.locator(".sample[data-painted]").first


def sample_of(card: Locator, recorded: dict[str, Sample]) -> Sample:
    """Return the sample that a card shows."""
    key = card.get_attribute("data-sample")
    assert key
    return recorded[key]


def hues(pixels: Pixels) -> Pixels:
    """Return red minus blue, which has opposite signs at the ends of the first map."""
    difference: Pixels = pixels[..., 0] - pixels[..., 2]
    return difference


@pytest.mark.parametrize("ratios", [(1.25, 2.0), pytest.param((1.0, 1.5), marks=pytest.mark.slow)])
def test_cards_fill_the_width_and_image_pixels_are_whole_screen_pixels(
    browser: Browser, served: str, ratios: tuple[float, ...]
) -> None:
    for ratio in ratios:
        page = browser.new_page(viewport={"width": 1400, "height": 900}, device_scale_factor=ratio)
        tab = open_page(page, served, tag="digits")
        first(tab).wait_for()
        grid = tab.locator(".grid").bounding_box()
        boxes = [card.bounding_box() for card in tab.locator(".sample").all()]
        assert grid is not None
        right = max(box["x"] + box["width"] for box in boxes if box)
        assert 0 < grid["x"] + grid["width"] - right < 40, (
            "the free room at the right is only a gap"
        )
        canvas = first(tab).locator("canvas.panels")
        drawn, shown = canvas.evaluate("c => [c.width, c.getBoundingClientRect().width]")
        pixel = shown * ratio / drawn
        assert pixel >= 2
        assert abs(pixel - round(pixel)) < 1e-3
        assert canvas.evaluate("c => getComputedStyle(c).imageRendering") == "pixelated"
        page.close()


def test_zoom_repaints_the_cards(look: Callable[..., Frame], recorded: dict[str, Sample]) -> None:
    tab = look(tag="digits")
    for zoom in (1, 6):
        choose_appearance(tab, "Zoom", str(zoom))
        canvas = first(tab).locator("canvas.panels")
        drawn, shown = canvas.evaluate("c => [c.width, c.getBoundingClientRect().width]")
        assert abs(shown - zoom * drawn) < 0.01
        image = sample_of(first(tab), recorded).image[0]
        levels = np.clip((image - LOW) / (HIGH - LOW), 0, 1) * 255
        assert np.abs(read_panel(first(tab), "image")[..., 0] - levels).max() <= 1


def test_every_colour_map_distinguishes_raising_from_lowering(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="digits")
    assert_maps_tell_raising_from_lowering(tab, recorded)
    set_theme(tab, "dark")
    assert_maps_tell_raising_from_lowering(tab, recorded)


def assert_maps_tell_raising_from_lowering(tab: Frame, recorded: dict[str, Sample]) -> None:
    gradient = sample_of(first(tab), recorded).targets[0].gradient[0]
    share = gradient / np.abs(gradient).max()
    seen = []
    for name in ("RdBu", "PuOr", "BrBG"):
        choose_appearance(tab, "Colours", name)
        painted = read_panel(first(tab), "gradient")
        zero = painted[np.abs(share) < 0.01].mean(axis=0)
        raised, lowered = (painted[side].mean(axis=0) for side in (share > 0.5, share < -0.5))
        for one, other in ((raised, lowered), (raised, zero), (lowered, zero)):
            assert np.linalg.norm(one - other) > 60
        seen.append(raised)
    extreme = np.unravel_index(np.abs(share).argmax(), share.shape)
    ramp = read_pixels(tab.locator("canvas.ramp").first, 0, 0, 255, 1)[0]
    end = ramp[-1] if share[extreme] > 0 else ramp[0]
    assert (end == painted[extreme]).all(), "the legend ends where the gradient does"
    assert np.linalg.norm(seen[0] - seen[1]) > 30
    assert np.linalg.norm(seen[1] - seen[2]) > 30


def test_on_one_scale_for_all_a_weak_gradient_is_pale(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="digits")
    sizes = {}
    for scale in ("own", "common"):
        choose_appearance(tab, "Scale", scale)
        for card in tab.locator(".sample[data-painted]").all()[:3]:
            sample = sample_of(card, recorded)
            sizes[scale, sample.index] = int(np.abs(hues(read_panel(card, "gradient"))).max())
    assert sizes["own", 0] > 60
    assert sizes["common", 0] < 60
    assert sizes["common", 1] > 60
    expect(tab.locator(".legend").first).to_contain_text(
        re.compile(r"all gradients end at [\d.]+,")
    )


def test_an_overlay_shows_the_original_and_a_magnitude_hides_the_sign(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="digits", gradient="overlay")
    sample = sample_of(first(tab), recorded)
    gradient = sample.targets[0].gradient[0]
    share = gradient / np.abs(gradient).max()
    painted = read_panel(first(tab), "gradient")
    levels = np.clip((sample.image[0] - LOW) / (HIGH - LOW), 0, 1)
    faint = np.abs(share) < 0.02
    assert np.corrcoef(levels[faint], painted[faint].mean(axis=1))[0, 1] > 0.9
    assert (hues(painted)[share > 0.5] > 40).all()
    assert (hues(painted)[share < -0.5] < -20).all()
    choose_appearance(tab, "Gradient", "magnitude")
    painted = read_panel(first(tab), "gradient")
    assert np.corrcoef(np.abs(share).ravel(), painted.mean(axis=2).ravel())[0, 1] < -0.95
    expect(tab.locator(".legend").first).not_to_contain_text("lowers")


def test_many_targets_fold_and_a_chip_shows_only_its_target(look: Callable[..., Frame]) -> None:
    tab = look(tag="all")
    card = first(tab)
    expect(card.locator(".verdict")).to_have_count(3)
    height = card.bounding_box()
    assert height is not None
    assert height["height"] < 500
    card.get_by_role("button", name="+5 more").click()
    expect(card.locator(".verdict")).to_have_count(10)
    card.get_by_role("button", name="7", exact=True).click()
    expect(card.locator(".verdict")).to_have_count(1)
    expect(card.locator('.verdict[data-target="7"]')).to_be_visible()
    assert read_panel(card, "morph").max() > 0, "it is painted again"
    card.get_by_role("button", name="7", exact=True).click()
    expect(card.locator(".verdict")).to_have_count(3)
    expect(tab.locator(".sample").nth(1).locator(".verdict")).to_have_count(3)


def test_long_names_do_not_hide_the_button_that_shows_more_targets(
    look: Callable[..., Frame],
) -> None:
    tab = look(tag="named")
    chips = first(tab).locator(".chips")
    more = chips.get_by_role("button", name="+5 more")
    outer, inner = chips.bounding_box(), more.bounding_box()
    assert outer is not None
    assert inner is not None
    assert inner["x"] + inner["width"] <= outer["x"] + outer["width"]
    assert inner["y"] + inner["height"] <= outer["y"] + outer["height"]
    more.click()
    expect(first(tab).locator(".verdict")).to_have_count(10)


def test_a_long_name_is_cut_and_its_probability_is_not(
    page: Page, look: Callable[..., Frame]
) -> None:
    tab = look(tag="named")
    page.set_viewport_size({"width": 580, "height": 900})
    set_strength(tab, 1)
    verdict = first(tab).locator(".verdict").first
    expect(verdict).to_have_text(re.compile(r"^soft-coated wheaten terrier \d · \d\d %$"))
    cut = verdict.locator(".said").evaluate("said => said.scrollWidth > said.clientWidth")
    assert cut, "the name has no room"
    chance, chip = verdict.locator(".chance").bounding_box(), verdict.bounding_box()
    assert chance is not None
    assert chip is not None
    assert chance["x"] + chance["width"] <= chip["x"] + chip["width"]


def test_choosing_a_target_shows_only_its_morphs(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="digits")
    targets = tab.get_by_label("Targets", exact=True).and_(tab.locator("select"))
    expect(targets).to_contain_text("towards 5 (6)")
    targets.select_option(label="towards 5 (6)")
    expect(tab.locator(".active-filters")).to_contain_text("towards 5")
    expect(tab.locator('.verdict[data-target="8"]')).to_have_count(0)
    card = first(tab)
    expect(card.locator('.verdict[data-target="5"]')).to_be_visible()
    sample = sample_of(card, recorded)
    delta = sample.targets[1].delta
    assert sample.targets[1].index == 5
    assert delta is not None
    levels = np.clip((sample.image[0] + delta[0] - LOW) / (HIGH - LOW), 0, 1) * 255
    assert np.abs(read_panel(card, "morph")[..., 0] - levels).max() <= 2


def test_class_names_of_any_session_are_shown(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    rng = np.random.default_rng(5)
    for run, names in (("first", None), ("second", tuple("abcdefghij"))):
        info = dataclasses.replace(DIGITS, class_names=names)
        write_session(tmp_path / run, [[make_sample(rng)]], info=info)
    tab = open_page(page, serve_here(tmp_path).address)
    target = tab.locator("#target")
    both = ["targets that change the answer", "all targets"]
    expect(target.locator("option")).to_have_text([*both, "towards f (2)", "towards i (2)"])
    target.select_option(label="towards i (2)")
    tab.locator('input[value="first"]').set_checked(False)
    expect(target.locator("option")).to_have_text([*both, "towards f (1)", "towards i (1)"])
    expect(target).to_have_value("8")


def test_dragging_a_curve_sets_the_strength_of_one_sample(look: Callable[..., Frame]) -> None:
    tab = look(tag="digits", strength="1")
    card, other = first(tab), tab.locator(".sample").nth(1)
    curve = card.locator(".curve").first
    box = curve.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    tab.page.mouse.move(box["x"] + box["width"] / 2, y)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 4, y, steps=4)
    tab.page.mouse.up()
    expect(card).to_have_attribute("data-painted", "0.00")
    expect(other).to_have_attribute("data-painted", "1.00")
    assert np.array_equal(read_panel(card, "morph"), read_panel(card, "image"))
    curve.press("ArrowRight")
    expect(card).to_have_attribute("data-painted", "0.05")
    card.get_by_role("button", name="5 % of the change").click()
    expect(card).to_have_attribute("data-painted", "1.00")
    curve.press("Home")
    expect(card).to_have_attribute("data-painted", "0.00")
    set_strength(tab, 0.5)
    expect(card).to_have_attribute("data-painted", "0.50")


def test_a_strength_beyond_the_largest_recorded_one_is_clamped_everywhere(
    look: Callable[..., Frame],
) -> None:
    tab = look(tag="digits", strength="5")
    card, other = first(tab), tab.locator(".sample").nth(1)
    expect(other).to_have_attribute("data-painted", "1.25")
    card.locator(".curve").first.press("Home")
    expect(card).to_have_attribute("data-painted", "0.00")
    wait_for_paint(tab)
    assert other.get_attribute("data-painted") == "1.25"
    expect(tab.locator('output[for="strength"]')).to_have_text("125 % of the change")
    curve, now = (other.locator(part).first.bounding_box() for part in (".curve", ".now"))
    assert curve is not None
    assert now is not None
    assert curve["x"] < now["x"] < curve["x"] + curve["width"]
    tab.locator("p.count").click()
    tab.page.keyboard.press("-")
    expect(tab.locator('output[for="strength"]')).to_have_text("120 % of the change")


def test_the_response_is_drawn_from_recorded_values(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="digits")
    for card in tab.locator(".sample[data-painted]").all()[:3]:
        sample = sample_of(card, recorded)
        for row, target in enumerate(sample.targets):
            curve = card.locator(".curve").nth(row)
            lines = {"target": target.probabilities}
            if target.index != sample.classes[0]:
                lines["original"] = target.original_probabilities
            assert curve.locator("polyline").count() == len(lines)
            for kind, probabilities in lines.items():
                text = curve.locator(f"polyline.{kind}").get_attribute("points") or ""
                points = np.array(
                    [[float(part) for part in pair.split(",")] for pair in text.split()]
                )
                # A straight relation: probability up, strength to the right.
                for drawn, value, sign in (
                    (points[:, 0], target.strengths, 1),
                    (points[:, 1], probabilities, -1),
                ):
                    scale = np.polyfit(value, drawn, 1)
                    assert scale[0] * sign > 0
                    assert np.abs(np.polyval(scale, value) - drawn).max() < 0.01
            assert target.flip is not None
            dot = float(curve.locator("circle").get_attribute("cx") or "nan")
            scale = np.polyfit(target.strengths, points[:, 0], 1)
            assert abs(np.polyval(scale, target.flip) - dot) < 0.01


def test_the_play_button_plays_every_morph_until_it_is_pressed_again(
    look: Callable[..., Frame],
) -> None:
    tab = look(tag="digits", strength="0.3")
    # Each frame takes 2 ms, however long the machine takes, so that the end is far away.
    tab.evaluate(
        """() => {
            const request = window.requestAnimationFrame;
            let now = performance.now();
            window.requestAnimationFrame = (then) => request(() => then((now += 2)));
        }"""
    )
    strengths = [float(first(tab).get_attribute("data-painted") or "nan")]
    tab.get_by_role("button", name="Play").click()
    for _ in range(3):
        tab.wait_for_function(
            "before => document.querySelector('.sample').dataset.painted !== before.toFixed(2)",
            arg=strengths[-1],
        )
        shown = [card.get_attribute("data-painted") for card in tab.locator(".sample").all()[:2]]
        strengths.append(float(shown[0] or "nan"))
    assert strengths == sorted(strengths)
    tab.get_by_role("button", name="Pause").click()
    wait_for_paint(tab)
    stopped = first(tab).get_attribute("data-painted")
    for _ in range(10):
        wait_for_paint(tab)
    assert first(tab).get_attribute("data-painted") == stopped


def test_with_reduced_motion_play_shows_only_recorded_strengths(
    page: Page, look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    page.emulate_media(reduced_motion="reduce")
    tab = look(tag="digits", strength="0.3")
    for _ in range(10):
        wait_for_paint(tab)
    expect(first(tab)).to_have_attribute("data-painted", "0.30")
    strengths = sample_of(first(tab), recorded).targets[0].strengths
    tab.evaluate(
        """() => {
            const card = document.querySelector(".sample");
            window.seen = [];
            const observer = new MutationObserver(() => window.seen.push(card.dataset.painted));
            observer.observe(card, { attributeFilter: ["data-painted"] });
        }"""
    )
    tab.get_by_role("button", name="Play").click()
    tab.wait_for_function("new Set(window.seen).size >= 3")
    for strength in map(float, tab.evaluate("window.seen")):
        assert np.abs(strengths - strength).min() <= 0.0051


@pytest.mark.parametrize(
    "motion", [pytest.param("reduce", marks=pytest.mark.slow), "no-preference"]
)
def test_playing_pauses_while_no_run_is_ticked(
    page: Page, look: Callable[..., Frame], motion: Literal["reduce", "no-preference"]
) -> None:
    page.emulate_media(reduced_motion=motion)
    tab = look(tag="digits", strength="0.8")
    tab.get_by_role("button", name="Play").click()
    tab.locator('input[name="run"]').set_checked(False)
    expect(tab.locator(".sample")).to_have_count(0)
    for _ in range(10):
        wait_for_paint(tab)
    tab.locator("p.count").click()
    page.keyboard.press("Space")
    expect(tab.locator(".play")).to_have_attribute("aria-label", "Play")
    tab.locator('input[name="run"]').set_checked(True)
    painted = first(tab).get_attribute("data-painted")
    assert painted
    if motion == "reduce":
        assert np.abs(STRENGTHS - float(painted)).min() <= 0.0051
    else:
        assert 0 < float(painted) <= 1.25, "it stood at 0.8 and had begun to rise"
    shown = tab.locator('output[for="strength"]').inner_text()
    assert float(shown.split()[0]) == pytest.approx(100 * float(painted), abs=1)
    page.wait_for_url(re.compile(r"p\.gradascent\.strength=[\d.]+(&|$)"))


def test_a_large_image_is_drawn_at_its_displayed_size(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="photos", zoom="0.5", strength="1")
    card = first(tab)
    canvas = card.locator("canvas.panels")
    drawn, shown = canvas.evaluate("c => [c.width, c.getBoundingClientRect().width]")
    assert drawn == shown
    sample = sample_of(card, recorded)
    delta = sample.targets[0].delta
    assert delta is not None
    for kind, image in (("image", sample.image), ("morph", sample.image + delta)):
        levels = (image - LOW) / (HIGH - LOW) * 255
        means = levels.reshape(3, 112, 2, 112, 2).mean(axis=(2, 4)).transpose(1, 2, 0)
        assert np.abs(read_panel(card, kind) - np.clip(means, 0, 255)).max() <= 1


def test_a_signal_is_a_curve_with_its_gradient_along_it(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="signals", strength="0")
    card = first(tab)
    sample = sample_of(card, recorded)
    painted = read_panel(card, "image")
    height, width, _ = painted.shape
    for channel, values in enumerate(sample.image):
        row = painted[channel * height // 2 : (channel + 1) * height // 2]
        dark = 255 - row.mean(axis=2)
        middles = (dark * np.arange(len(row))[:, None]).sum(axis=0) / dark.sum(axis=0)
        along = np.interp(np.linspace(0, 1, width), np.linspace(0, 1, len(values)), values)
        assert np.corrcoef(along, middles)[0, 1] < -0.99, (
            "the higher the value, the higher the line"
        )
    colour = read_panel(card, "gradient")
    redness = hues(colour)[: height // 2]
    gradient = sample.targets[0].gradient[0]
    columns = np.array([redness[np.abs(redness[:, c]).argmax(), c] for c in range(width)])
    compared = 0
    for place in range(1, len(gradient) - 1):
        near = gradient[place - 1 : place + 2]
        if np.abs(near).min() > 0.2 * np.abs(gradient).max() and np.ptp(np.sign(near)) == 0:
            column = round(place * width / (len(gradient) - 1))
            assert np.sign(columns[column]) == np.sign(gradient[place])
            compared += 1
    assert compared >= 5
    before = read_panel(card, "morph")
    set_strength(tab, 1)
    assert np.abs(read_panel(card, "morph") - before).max() > 100
