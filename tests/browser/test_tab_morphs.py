"""Several morphs a target: which is shown, its flip, its change, its survival and its judges."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent import Sample, read_samples
from tb_gradascent.format.samples import CapturedSample, Morph
from testing.browser import (
    choose_appearance,
    open_page,
    panels_of,
    read_panel,
    read_pixels,
    set_strength,
    set_theme,
    wait_for_paint,
    wait_for_samples,
)
from testing.synthetic import DIGITS, STRENGTHS, make_sample, write_session

pytestmark = pytest.mark.browser

LOW, HIGH = -0.4242, 2.8215
"""The values that are painted black and white: the bounds of ``synthetic.DIGITS``."""
STD = 0.3081
BOTH = ("smallest", "visible")
NEVER = 9.0
FLIPS: tuple[dict[str, float], ...] = (
    {"smallest": 0.5, "visible": 0.75},
    {"smallest": NEVER, "visible": NEVER},
    {},
)
"""The flip of each kind of morph, for each sample of the tag "both"; the last one flips at 0.25."""
HELD = (7, 1, 5)
OUTLIER = 500.0


def retold(
    sample: CapturedSample, flips: dict[str, float], held: int, morphs: Sequence[str] = BOTH
) -> CapturedSample:
    """Return a sample that is predicted to be a 5. It has morphs to the 8, and none to the 5."""

    def told(name: str, morph: Morph) -> Morph:
        predictions = np.where(flips.get(name, 0.25) <= STRENGTHS, 8, 5)
        survived = tuple(check < held for check in range(8))
        return dataclasses.replace(morph, predictions=predictions, survived=survived)

    eight, five = sample.targets
    others = [label for label in range(10) if label not in (5, 8)]
    return dataclasses.replace(
        sample,
        classes=np.array([5, 8, *others]),
        label=5,
        targets=(
            dataclasses.replace(
                eight, morphs={name: told(name, eight.morphs[name]) for name in morphs}
            ),
            dataclasses.replace(five, morphs={}),
        ),
    )


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One run with a tag for each kind of sample."""
    directory = tmp_path_factory.mktemp("morphs")
    rng = np.random.default_rng(7)

    def write(tag: str, samples: list[CapturedSample], **info: Any) -> None:
        told = dataclasses.replace(DIGITS, **info)
        write_session(directory / "run", [samples], tag=tag, session=f"session-{tag}", info=told)

    both = [
        retold(make_sample(rng, morphs=BOTH, judges=("ema",), id=f"both/{place}"), flips, held)
        for place, (flips, held) in enumerate(zip(FLIPS, HELD, strict=True))
    ]
    write("both", both, ascents=BOTH, judges=("ema",))
    single = [make_sample(rng, id=f"single/{place}") for place in range(2)]
    sharp = single[0].targets[0]
    gradient = sharp.gradient.copy()
    gradient[0, 0, 0] = OUTLIER
    targets = (dataclasses.replace(sharp, gradient=gradient), *single[0].targets[1:])
    single[0] = dataclasses.replace(single[0], targets=targets)
    write("single", single)
    photos = [make_sample(rng, shape=(3, 128, 128), morphs=BOTH, id="photo") for _ in range(2)]
    write("photos", photos, ascents=BOTH)
    write("signals", [make_sample(rng, shape=(2, 300), morphs=BOTH, id="signal")], ascents=BOTH)
    return directory


@pytest.fixture(scope="module")
def recorded(logdir: Path) -> dict[str, Sample]:
    """All samples, by the keys that the page gives them."""
    return {
        f"run|{sample.tag}|session-{sample.tag}.0.{sample.index}": sample
        for sample in read_samples(logdir)
    }


@pytest.fixture
def look(page: Page, served: str) -> Callable[..., Frame]:
    """Opens the page with the choices of a link, and waits until all samples are painted."""

    def open_painted(**link: str) -> Frame:
        tab = open_page(page, served, **link)
        wait_for_samples(tab)
        wait_for_paint(tab)
        return tab

    return open_painted


def card_of(tab: Frame, place: int) -> Locator:
    """Return the painted card of a sample, by its index in the capture."""
    card = tab.locator(f'.sample[data-sample$=".{place}"][data-painted]')
    card.wait_for()
    return card


def sample_of(card: Locator, recorded: dict[str, Sample]) -> Sample:
    """Return the sample that a card shows."""
    return recorded[card.get_attribute("data-sample") or ""]


def levels(values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Return the grey levels of values in model units, clipped."""
    return np.clip((values.astype(np.float64) - LOW) / (HIGH - LOW), 0, 1) * 255


def assert_morph(card: Locator, sample: Sample, kind: str, strength: float) -> None:
    """Assert that a card paints the morph of a kind at a strength."""
    delta = sample.targets[0].morphs[kind].delta
    expected = levels(sample.image[0] + strength * delta[0])
    assert np.abs(read_panel(card, "morph")[..., 0] - expected).max() <= 1


def p99(values: npt.NDArray[Any]) -> float:
    return float(np.percentile(np.abs(values.astype(np.float64)), 99))


def in_colours(tab: Frame, shares: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the legend's colours of shares of the scale, from -1 to 1."""
    ramp = read_pixels(tab.locator("canvas.ramp").first, 0, 0, 255, 1)[0]
    colours: npt.NDArray[np.int64] = ramp[np.clip(np.rint(127 + 127 * shares), 0, 254).astype(int)]
    return colours


def press_briefly(card: Locator) -> None:
    """Press the middle of a card's morph. The page's clock stands still meanwhile."""
    page = card.page
    x, y = middle_of_morph(card)
    page.mouse.move(x, y)
    card.evaluate("() => { const now = performance.now(); performance.now = () => now; }")
    page.mouse.down()
    page.mouse.up()
    card.evaluate("() => { delete performance.now; }")


def middle_of_morph(card: Locator) -> tuple[float, float]:
    """Return the middle of a card's morph on the screen."""
    canvas = card.locator("canvas.panels")
    box = canvas.bounding_box()
    assert box is not None
    left, top, width, height = panels_of(card)["targets"][0]["morph"]
    scale = box["width"] / canvas.evaluate("canvas => canvas.width")
    return box["x"] + (left + width / 2) * scale, box["y"] + (top + height / 2) * scale


def test_the_switch_changes_all_morphs_and_the_link(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="both")
    kinds = tab.get_by_role("group", name="Kind of morph").first
    expect(kinds.get_by_role("button", name="visible")).to_have_attribute("aria-pressed", "true")
    cards = [card_of(tab, place) for place in range(3)]
    for card in cards:
        assert_morph(card, sample_of(card, recorded), "visible", 1)
    expect(cards[0].locator(".flip")).to_have_text(re.compile("^flips after 75 %"))
    kinds.get_by_role("button", name="smallest").click()
    expect(kinds.get_by_role("button", name="smallest")).to_have_attribute("aria-pressed", "true")
    tab.page.wait_for_url(re.compile(r"p\.gradascent\.morph=smallest(&|$)"))
    for card in cards:
        card.and_(tab.locator("[data-painted]")).wait_for()
        assert_morph(card, sample_of(card, recorded), "smallest", 1)
    expect(cards[0].locator(".flip")).to_have_text(re.compile("^flips after 50 %"))


def test_a_link_chooses_the_kind_and_an_unknown_kind_is_the_visible_one(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    for link, kind in (("smallest", "smallest"), ("nothing", "visible")):
        card = card_of(look(tag="both", morph=link), 0)
        assert_morph(card, sample_of(card, recorded), kind, 1)


def test_one_kind_alone_needs_no_switch(look: Callable[..., Frame]) -> None:
    tab = look(tag="single")
    expect(tab.get_by_role("group", name="Kind of morph")).to_have_count(0)
    expect(tab.get_by_role("button", name="each at its flip")).to_be_visible()
    card = card_of(tab, 0)
    expect(card.locator(".survival, .judge")).to_have_count(0)


def test_each_at_its_flip_until_the_slider_moves(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="both")
    button = tab.get_by_role("button", name="each at its flip")
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(card_of(tab, 1).locator(".flip.never")).to_have_count(0)
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    tab.page.wait_for_url(re.compile(r"p\.gradascent\.at=flip(&|$)"))
    for place, (kind, strength) in enumerate(
        (("visible", 0.75), ("visible", 1), ("visible", 0.25))
    ):
        card = card_of(tab, place)
        expect(card).to_have_attribute("data-painted", f"{strength:.2f}")
        assert_morph(card, sample_of(card, recorded), kind, strength)
    expect(card_of(tab, 1).locator(".flip.never")).to_have_text("never flips")
    expect(tab.locator(".flip.never")).to_have_count(1)
    tab.get_by_role("group", name="Kind of morph").get_by_role("button", name="smallest").click()
    expect(card_of(tab, 0)).to_have_attribute("data-painted", "0.50")
    set_strength(tab, 0.3)
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(tab.locator(".flip.never")).to_have_count(0)
    expect(card_of(tab, 2)).to_have_attribute("data-painted", "0.30")


def test_a_link_opens_each_at_its_flip(look: Callable[..., Frame]) -> None:
    tab = look(tag="both", at="flip", morph="smallest")
    expect(card_of(tab, 0)).to_have_attribute("data-painted", "0.50")
    expect(tab.locator('output[for="strength"]')).to_have_text("each at its flip")


def test_a_class_that_is_predicted_already_has_a_gradient_and_no_morph(
    look: Callable[..., Frame],
) -> None:
    card = card_of(look(tag="both"), 0)
    expect(card.locator(".no-morph")).to_have_text("The network already says 5.")
    expect(card.locator('.verdict[data-target="8"]')).to_be_visible()
    expect(card.locator('.verdict[data-target="5"]')).to_have_count(0)
    eight, five = panels_of(card)["targets"]
    assert eight["morph"]
    assert eight["change"]
    assert five["morph"] is five["change"] is None
    assert np.ptp(read_panel(card, "gradient", 1)) > 50
    card.locator("h2").click()
    detail = card.page.get_by_role("dialog")
    detail.get_by_role("tab", name="5", exact=True).click()
    expect(detail.locator(".no-morph")).to_have_text("The network already says 5.")
    expect(detail.locator('[data-part="gradient-1"][data-painted]')).to_be_visible()
    expect(detail.locator('[data-part="morph-1"]')).to_have_count(0)


@pytest.mark.parametrize(
    ("kind", "theme"),
    [
        ("smallest", "dark"),
        ("visible", "light"),
        pytest.param("smallest", "light", marks=pytest.mark.slow),
        pytest.param("visible", "dark", marks=pytest.mark.slow),
    ],
)
def test_the_change_of_one_channel_is_the_delta_in_the_colours_of_the_legend(
    look: Callable[..., Frame], recorded: dict[str, Sample], kind: str, theme: Any
) -> None:
    tab = look(tag="both", morph=kind)
    set_theme(tab, theme)
    card = card_of(tab, 0)
    delta = sample_of(card, recorded).targets[0].morphs[kind].delta[0]
    expected = in_colours(tab, delta / p99(delta))
    painted = read_panel(card, "change")
    assert (np.abs(painted - expected).max(axis=2) <= 8).mean() > 0.999
    set_strength(tab, 0.25)
    assert np.array_equal(read_panel(card, "change"), painted), "the change has one strength"
    in_levels = 255 * np.abs(delta.astype(np.float64)) / (HIGH - LOW)
    gain = 127.5 / p99(in_levels)
    heading = card.locator(".heading", has_text="change ×")
    shown = float((heading.text_content() or "").removeprefix("change ×").replace(",", ""))
    assert abs(shown / gain - 1) < 0.06
    title = card.locator(".caption").get_attribute("title") or ""
    found = re.search(r"no pixel by more than ([\d.]+)/255; ([\d.]+)/255 on average", title)
    assert found, title
    in_display = 255 * STD * np.abs(delta.astype(np.float64))
    most, usual = map(float, found.groups())
    assert in_display.max() * (1 - 1e-6) <= most <= in_display.max() * 1.11
    assert math.isclose(usual, in_display.mean(), rel_tol=0.06)


def test_the_change_of_a_colour_image_is_around_a_middle_grey(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="photos", zoom="1", morph="smallest")
    card = card_of(tab, 0)
    delta = sample_of(card, recorded).targets[0].morphs["smallest"].delta.astype(np.float64)
    in_levels = 255 * delta / (HIGH - LOW)
    expected = np.clip(127.5 + in_levels * 127.5 / p99(in_levels), 0, 255).transpose(1, 2, 0)
    assert np.abs(read_panel(card, "change") - expected).max() <= 1


def test_the_change_of_a_signal_is_a_curve_on_the_same_rows(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    card = card_of(look(tag="signals", morph="visible"), 0)
    painted = read_panel(card, "change")
    assert painted.shape == read_panel(card, "morph").shape
    height, width, _ = painted.shape
    for channel, values in enumerate(sample_of(card, recorded).targets[0].morphs["visible"].delta):
        row = painted[channel * height // 2 : (channel + 1) * height // 2]
        dark = np.where(row.mean(axis=2) < 150, 255 - row.mean(axis=2), 0)
        middles = (dark * np.arange(len(row))[:, None]).sum(axis=0) / dark.sum(axis=0)
        along = np.interp(np.linspace(0, 1, width), np.linspace(0, 1, len(values)), values)
        assert np.corrcoef(along, middles)[0, 1] < -0.99
    expect(card.locator(".caption").first).to_have_attribute(
        "title", re.compile(r"changes no value by more than [\d.]+; [\d.]+ on average")
    )


def test_an_outlier_does_not_make_the_gradient_pale(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="single")
    card = card_of(tab, 0)
    gradient = sample_of(card, recorded).targets[0].gradient[0]
    assert gradient[0, 0] == pytest.approx(OUTLIER, rel=1e-3)
    expected = in_colours(tab, gradient / p99(gradient))
    painted = read_panel(card, "gradient")
    assert (np.abs(painted - expected).max(axis=2) <= 8).mean() > 0.999
    strong = np.abs(painted[..., 0] - painted[..., 2]) > 40
    assert strong.mean() > 0.1
    expect(tab.locator(".legend").first).to_contain_text("colours end at the 99th percentile")


def test_the_common_scale_ends_at_the_largest_99th_percentile(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="both", scale="common")
    ends = [
        p99(target.gradient)
        for sample in recorded.values()
        if sample.tag == "both"
        for target in sample.targets
    ]
    for place in range(3):
        card = card_of(tab, place)
        gradient = sample_of(card, recorded).targets[0].gradient[0]
        own = np.clip(gradient / p99(gradient), -1, 1) * p99(gradient)
        expected = in_colours(tab, own / max(ends))
        painted = read_panel(card, "gradient")
        assert (np.abs(painted - expected).max(axis=2) <= 10).mean() > 0.99
    expect(tab.locator(".legend").first).to_contain_text(f"end at {max(ends):.2g}")


def smoothed(values: npt.NDArray[np.float64], sigma: float) -> npt.NDArray[np.float64]:
    """Return an image smoothed with a Gaussian, whose weights at the edges are the inner ones."""
    reach = math.ceil(3 * sigma)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    for axis in (0, 1):
        weights = np.convolve(np.ones(values.shape[axis]), kernel, "same")
        values = np.apply_along_axis(np.convolve, axis, values, kernel, "same")
        values = values / (weights[:, None] if axis == 0 else weights)
    return values


def test_a_photograph_shows_heat_over_the_dark_original_unless_another_style_is_chosen(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="photos", zoom="1")
    card = card_of(tab, 0)
    sample = sample_of(card, recorded)
    heat = smoothed(np.abs(sample.targets[0].gradient.astype(np.float64)).max(axis=0), 3)
    share = np.clip(heat / p99(heat), 0, 1)
    painted = read_panel(card, "gradient")
    grey = levels(sample.image).transpose(1, 2, 0) @ [0.299, 0.587, 0.114] * 120 / 255
    assert painted.max() > 200
    brightness = painted.mean(axis=2)
    assert np.corrcoef(brightness - grey, share)[0, 1] > 0.9
    faint = share < 0.12
    assert faint.any()
    assert np.abs(brightness - grey)[faint].max() < 40
    expect(tab.locator(".legend").first).to_contain_text("smoothed")
    choose_appearance(tab, "Gradient", "signed")
    painted = read_panel(card, "gradient")
    total = sample.targets[0].gradient.astype(np.float64).sum(axis=0)
    expected = in_colours(tab, total / p99(total))
    assert (np.abs(painted - expected).max(axis=2) <= 8).mean() > 0.99


def test_a_chosen_style_holds_for_small_images_too(look: Callable[..., Frame]) -> None:
    tab = look(tag="both")
    signed = read_panel(card_of(tab, 0), "gradient")
    choose_appearance(tab, "Gradient", "heat")
    heat = read_panel(card_of(tab, 0), "gradient")
    assert signed.min(axis=2).mean() > 150, "the background is the page's"
    assert heat.mean() < 130
    tab.page.wait_for_url(re.compile(r"p\.gradascent\.gradient=heat(&|$)"))


def test_a_pressed_morph_shows_the_original_and_a_long_press_does_not_open_the_sample(
    look: Callable[..., Frame],
) -> None:
    tab = look(tag="both", morph="smallest")
    card, other = card_of(tab, 0), card_of(tab, 1)
    morph, beside = read_panel(card, "morph"), read_panel(other, "morph")
    original = read_panel(card, "image")
    assert np.abs(morph - original).max() > 50
    x, y = middle_of_morph(card)
    tab.page.mouse.move(x, y)
    tab.page.mouse.down()
    assert np.array_equal(read_panel(card, "morph"), original)
    assert np.array_equal(read_panel(other, "morph"), beside)
    tab.page.wait_for_timeout(400)
    tab.page.mouse.up()
    assert np.array_equal(read_panel(card, "morph"), morph)
    expect(tab.get_by_role("dialog")).to_have_count(0)
    press_briefly(card)
    expect(tab.get_by_role("dialog")).to_be_visible()
    assert np.array_equal(read_panel(card, "morph"), morph)


def test_the_key_b_shows_the_originals_while_it_is_held(look: Callable[..., Frame]) -> None:
    tab = look(tag="both")
    cards = [card_of(tab, 0), card_of(tab, 1)]
    morphs = [read_panel(card, "morph") for card in cards]
    originals = [read_panel(card, "image") for card in cards]
    keyboard = tab.page.keyboard
    tab.locator("p.count").click()
    keyboard.down("b")
    for card, original in zip(cards, originals, strict=True):
        assert np.array_equal(read_panel(card, "morph"), original)
    set_strength(tab, 0.5)
    assert np.array_equal(read_panel(cards[0], "morph"), originals[0])
    keyboard.up("b")
    set_strength(tab, 1)
    for card, morph in zip(cards, morphs, strict=True):
        assert np.array_equal(read_panel(card, "morph"), morph)
    cards[1].focus()
    keyboard.down("b")
    assert np.array_equal(read_panel(cards[0], "morph"), morphs[0])
    assert np.array_equal(read_panel(cards[1], "morph"), originals[1])
    keyboard.up("b")
    assert np.array_equal(read_panel(cards[1], "morph"), morphs[1])


def on_screen(node: Locator) -> npt.NDArray[np.int64]:
    """Return what the screen shows of an element."""
    return np.asarray(Image.open(io.BytesIO(node.screenshot())).convert("RGB")).astype(np.int64)


def test_the_large_view_wipes_between_the_original_and_the_morph(
    look: Callable[..., Frame],
) -> None:
    tab = look(tag="both", morph="smallest")
    card_of(tab, 0).locator("h2").click()
    detail = tab.get_by_role("dialog")
    frame = detail.locator('[data-part="morph-0"][data-painted]')
    frame.wait_for()
    wait_for_paint(tab)
    morph, original = on_screen(frame), on_screen(detail.locator('[data-part="original"]'))
    _, width, _ = morph.shape
    wipe = detail.get_by_role("slider", name="Wipe from the morph to the original")
    wipe.fill("50")
    half = on_screen(frame)
    left, right = slice(0, width // 2 - 3), slice(width // 2 + 3, width)
    assert np.array_equal(half[:, left], original[:, left])
    assert np.array_equal(half[:, right], morph[:, right])
    assert np.abs(morph - original)[:, left].max() > 10
    assert np.abs(morph - original)[:, right].max() > 10
    wipe.fill("0")
    assert np.array_equal(on_screen(frame), morph)
    tab.page.keyboard.down("b")
    assert np.array_equal(on_screen(frame), original)
    tab.page.keyboard.up("b")
    assert np.array_equal(on_screen(frame), morph)


def test_the_switch_in_the_large_view_changes_its_pictures_and_keeps_the_focus(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="both")
    card = card_of(tab, 0)
    sample = sample_of(card, recorded)
    card.locator("h2").click()
    detail = tab.get_by_role("dialog")
    for kind in ("smallest", "visible"):
        button = detail.get_by_role("button", name=kind, exact=True)
        button.click()
        expect(button).to_be_focused()
        expect(detail.locator("figcaption", has_text=f"morph → 8: {kind}")).to_be_visible()
        frame = detail.locator('[data-part="morph-0"][data-painted]')
        frame.wait_for()
        painted = read_pixels(frame.locator("canvas").first, 0, 0, 28, 28)[..., 0]
        expected = levels(sample.image[0] + sample.targets[0].morphs[kind].delta[0])
        assert np.abs(painted - expected).max() <= 1
    detail.get_by_role("button", name="each at its flip").click()
    expect(detail.locator('[data-part="morph-0"]')).to_have_attribute("data-painted", "0.75")
    expect(detail.locator('output[for="detail-strength"]')).to_have_text("at its flip")
    caption = detail.locator("figcaption", has_text="change → 8")
    expect(caption).to_have_text(re.compile(r"×[\d.]+$"))
    expect(caption).to_have_attribute("title", re.compile("The morph changes no pixel by more"))


def test_survival_and_judges_are_told_on_the_card_and_in_the_large_view(
    look: Callable[..., Frame], recorded: dict[str, Sample]
) -> None:
    tab = look(tag="both")
    card, fragile = card_of(tab, 0), card_of(tab, 1)
    expect(card.locator(".survival")).to_have_text(re.compile(r"^holds in 7 of 8"))
    expect(card.locator(".survival.fragile")).to_have_count(0)
    expect(fragile.locator(".survival.fragile")).to_have_text("fragile: 1 of 8")
    expect(card_of(tab, 2).locator(".survival")).to_have_text(re.compile(r"^holds in 5 of 8"))
    judge = sample_of(card, recorded).targets[0].morphs["visible"].judges["ema"]
    at_one = float(judge.probabilities[list(STRENGTHS).index(1)])
    expect(card.locator(".judge")).to_have_text(f"ema: {100 * at_one:.0f} %")
    set_strength(tab, 0.3)
    between = float(np.interp(0.3, STRENGTHS, judge.probabilities))
    expect(card.locator(".judge")).to_have_text(f"ema: ≈ {100 * between:.0f} %")
    set_strength(tab, 1)
    card.locator("h2").click()
    detail = tab.get_by_role("dialog")
    expect(detail.locator(".survival")).to_have_text("holds in 7 of 8 small changes")
    expect(detail.locator(".judge").first).to_be_visible()
    expect(detail.locator("p.judge")).to_have_text(f"ema: {100 * at_one:.0f} %")
    chart = detail.locator(".response")
    expect(chart.locator("figcaption")).to_contain_text("ema: 8")
    drawn = chart.locator("polyline.judge").get_attribute("points") or ""
    heights = np.array([float(point.split(",")[1]) for point in drawn.split()])
    scale = np.polyfit(judge.probabilities, heights, 1)
    assert scale[0] < 0
    assert np.abs(np.polyval(scale, judge.probabilities) - heights).max() < 0.01


def test_no_card_is_wider_than_a_window_of_1024_pixels(
    page: Page, look: Callable[..., Frame]
) -> None:
    size = page.viewport_size
    assert size is not None
    page.set_viewport_size({"width": 1024, "height": 800})
    try:
        for tag in ("both", "photos", "signals"):
            tab = look(tag=tag)
            over = tab.locator(".grid").evaluate("grid => grid.scrollWidth - grid.clientWidth")
            assert over <= 0, tag
            boxes = [
                tab.locator(part).bounding_box() for part in (".scale", ".morph-switch", ".make-it")
            ]
            assert all(box and box["x"] + box["width"] <= 1024 for box in boxes)
            for row in (".bar .top", ".tools"):
                box = tab.locator(row).bounding_box()
                assert box is not None
                assert box["height"] <= 48, f"{row} is one row"
    finally:
        page.set_viewport_size(size)


def download(tab: Frame, name: str, folder: Path) -> Path:
    """Click one of the menu's buttons, and return the file that it saves."""
    tab.locator(".downloads summary").click()
    with tab.page.expect_download() as started:
        tab.locator(f'.downloads button[name="{name}"]').click()
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    tab.page.keyboard.press("Escape")
    return file


def test_the_downloads_hold_all_morphs(
    look: Callable[..., Frame], recorded: dict[str, Sample], tmp_path: Path
) -> None:
    tab = look(tag="both", sort="oldest")
    samples = [recorded[f"run|both|session-both.0.{place}"] for place in range(3)]
    with download(tab, "Numbers", tmp_path).open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    assert [(row["target"], row["morph"]) for row in rows] == 3 * [
        ("8", "smallest"), ("8", "visible"), ("5", "")
    ]  # fmt: skip
    for row, kind in zip(rows[:2], BOTH, strict=True):
        morph = samples[0].targets[0].morphs[kind]
        assert float(row["flip"]) == samples[0].targets[0].flip == 0.5
        assert float(row["morph_flip"]) == morph.flip
        assert row["survived"] == "1 1 1 1 1 1 1 0"
        np.testing.assert_allclose(float(row["delta_norm"]), morph.delta_norm, rtol=1e-3)
        judged = np.array(row["judge ema: target_probabilities"].split(), float)
        np.testing.assert_allclose(judged, morph.judges["ema"].probabilities, rtol=1e-5)
    with np.load(download(tab, "Arrays", tmp_path), allow_pickle=False) as arrays:
        assert arrays["target"].tolist() == [8, 5] * 3
        assert arrays["morph"].tolist() == list(BOTH) * 3
        assert arrays["morph_target"].tolist() == [0, 0, 2, 2, 4, 4]
        deltas = [sample.targets[0].morphs[kind].delta for sample in samples for kind in BOTH]
        np.testing.assert_array_equal(arrays["morph_delta"], deltas)
        np.testing.assert_array_equal(arrays["delta"][::2], deltas[::2])
        assert np.isnan(arrays["delta"][1::2]).all()
        assert arrays["morph_survived"].sum(axis=1).tolist() == [7, 7, 1, 1, 5, 5]
        assert arrays["judge"].tolist() == ["ema"] * 6
        assert arrays["judge_morph"].tolist() == list(range(6))
        assert arrays["judge_predictions"].shape == (6, len(STRENGTHS))
