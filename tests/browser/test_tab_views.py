"""Change between the views while samples load and while new ones arrive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Frame, Page, expect

from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import CapturedSample
from testing.board import Board
from testing.browser import (
    Answers,
    open_page,
    press_reload,
    read_panel,
    read_pixels,
    set_theme,
    wait_for_paint,
)
from testing.synthetic import DIGITS, make_captures, make_event, make_sample, write_session

pytestmark = pytest.mark.browser

PROBES = ("seven", "three")
SHOWN = {
    "samples": ".grid .sample",
    "follow": ".follow .frame",
    "compare": ".compare .sample",
}
FLIP = "(views) => { for (const view of views) document.getElementById(`tab-${view}`).click(); }"
"""Changes from view to view within one frame."""


def write_run(run: Path, steps: range, *, seed: int = 3) -> None:
    """Write a run with the same two probes and three other samples at each step."""
    rng = np.random.default_rng(seed)
    captures = [
        [
            *(make_sample(rng, step=step, id=f"{run.name}/{step}/{i}") for i in range(3)),
            *(make_sample(rng, step=step, id=id, probe=True) for id in PROBES),
        ]
        for step in steps
    ]
    write_session(run, captures, session=f"{run.name}-{steps.start}", start=1.7e9 + steps.start)


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs at five steps each."""
    directory = tmp_path_factory.mktemp("views")
    for shift, run in enumerate(("first", "second")):
        write_run(directory / run, range(10 * shift, 500, 100), seed=shift)
    return directory


@pytest.fixture
def payloads(page: Page) -> Iterator[Answers]:
    """Counts and holds back the page's requests for arrays."""
    yield Answers(page, "**/payloads?*")
    page.unroute_all(behavior="ignoreErrors")


def show(tab: Frame, view: str) -> None:
    """Choose a view, and wait until it shows something."""
    tab.locator(f"#tab-{view}").click()
    tab.locator(SHOWN[view]).first.wait_for()


def expect_all_painted(tab: Frame, view: str) -> None:
    tab.locator(SHOWN[view]).first.wait_for()
    expect(tab.locator(f"{SHOWN[view]}:not([data-painted])")).to_have_count(0)


def expect_quiet(tab: Frame, payloads: Answers) -> None:
    """Assert that the page asks for nothing more."""
    for _ in range(5):
        wait_for_paint(tab)
    asked = payloads.asked
    for _ in range(30):
        wait_for_paint(tab)
    assert payloads.asked == asked


@pytest.mark.parametrize(
    ("view", "other"),
    [
        ("samples", "follow"),
        pytest.param("follow", "compare", marks=pytest.mark.slow),
        ("compare", "samples"),
    ],
)
def test_pictures_that_arrive_while_another_view_is_chosen_are_painted(
    page: Page, served: str, payloads: Answers, view: str, other: str
) -> None:
    payloads.held = True
    tab = open_page(page, served, view=view)
    tab.locator(SHOWN[view]).first.wait_for()
    show(tab, other)
    payloads.release()
    expect_all_painted(tab, other)
    show(tab, view)
    expect_all_painted(tab, view)


@pytest.mark.parametrize(
    ("view", "other"),
    [
        ("samples", "compare"),
        ("follow", "samples"),
        pytest.param("compare", "follow", marks=pytest.mark.slow),
    ],
)
def test_a_view_that_was_left_for_less_than_a_frame_is_painted(
    page: Page, served: str, payloads: Answers, view: str, other: str
) -> None:
    tab = open_page(page, served, view=other)
    expect_all_painted(tab, other)
    payloads.held = True
    show(tab, view)
    tab.evaluate(FLIP, [other, view])
    wait_for_paint(tab)
    payloads.release()
    expect_all_painted(tab, view)
    expect_quiet(tab, payloads)


def test_a_view_that_shows_nothing_asks_for_nothing(
    page: Page, served: str, payloads: Answers
) -> None:
    tab = open_page(page, served, runs="-second")
    expect_all_painted(tab, "samples")
    tab.locator("#tab-compare").click()
    expect(tab.locator(".compare .note")).to_be_visible()
    press_reload(tab)
    expect_quiet(tab, payloads)


def focused(tab: Frame) -> object:
    return tab.evaluate("document.activeElement.closest('[data-sample]')?.dataset.sample")


@pytest.mark.parametrize("view", [pytest.param("follow", marks=pytest.mark.slow), "compare"])
def test_a_reload_keeps_the_focus_and_the_scroll_position(
    page: Page, tmp_path: Path, serve_here: Callable[..., Board], view: str
) -> None:
    """With nothing new first; then with more captures and a run that sorts before the others."""
    for run in ("first", "second"):
        write_run(tmp_path / run, range(0, 1000, 100))
    board = serve_here(tmp_path)
    tab = open_page(page, board.address, view=view, runs="-earlier")
    expect_all_painted(tab, view)
    tab.locator(SHOWN[view]).first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect_all_painted(tab, view)
    key = focused(tab)
    assert key
    box = tab.locator(":focus").bounding_box()
    marked = tab.locator(":focus").evaluate_handle("node => (node.dataset.marked = 'yes', node)")
    press_reload(tab)
    expect(tab.locator(".reload")).not_to_have_attribute("aria-busy", "true")
    wait_for_paint(tab)
    assert focused(tab) == key
    assert marked.evaluate("node => node.isConnected"), "without new samples no element is replaced"
    for run in ("first", "second"):
        write_run(tmp_path / run, range(2000, 2200, 100))
    write_run(tmp_path / "earlier", range(0, 300, 100))
    board.read()
    press_reload(tab)
    expect(tab.locator("p.count")).to_contain_text("120 of")
    expect(tab.locator('input[name="run"]')).to_have_count(3)
    expect_all_painted(tab, view)
    assert focused(tab) == key
    assert tab.locator(":focus").bounding_box() == box


def test_a_run_that_is_loading_is_read_to_the_end(
    page: Page, tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    """Another order is chosen while its samples load."""
    write_session(tmp_path / "small", make_captures(3, 2, shape=(1, 4, 4)), start=1.7e9)
    write_session(
        tmp_path / "large", make_captures(600, 1, shape=(1, 4, 4), targets=()), start=1.7e9
    )
    tab = open_page(page, serve_here(tmp_path).address, runs="-large")
    expect(tab.locator("p.count")).to_have_text("6 of 6 samples")
    Answers(page, "**/records?*.0.500*", held=True)
    tab.locator('input[name="run"][value="large"]').check()
    expect(tab.locator("p.count")).to_have_text("206 of 206 samples")
    tab.locator("#sort").select_option("margin")
    wait_for_paint(tab)
    page.unroute_all(behavior="ignoreErrors")
    expect(tab.locator("p.count")).to_have_text("606 of 606 samples")


def test_compare_says_why_there_are_no_pairs(page: Page, served: str) -> None:
    tab = open_page(page, served, view="compare", runs="-second")
    words = tab.locator(".compare .note")
    expect(words).to_contain_text("second is not ticked")
    late = Answers(page, "**/newest?*second*", held=True)
    tab.locator('input[name="run"][value="second"]').check()
    expect(words).to_contain_text("The samples of second are not loaded yet")
    late.release()
    expect(words).to_be_hidden()
    expect(tab.locator(".compare [role=status]")).to_contain_text("10 of 10 pairs")
    page.goto("about:blank")
    tab = open_page(page, served, view="compare", runFilter="first")
    expect(tab.locator(".compare .note")).to_contain_text("The run filter excludes second")


def test_on_a_narrow_page_the_focused_card_is_in_sight(page: Page, served: str) -> None:
    page.set_viewport_size({"width": 620, "height": 700})
    tab = open_page(page, served, view="compare")
    tab.locator(SHOWN["compare"]).first.focus()
    room = tab.locator(".pairs").bounding_box()
    assert room is not None
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        wait_for_paint(tab)
        box = tab.locator(":focus").bounding_box()
        assert box is not None
        above, below = box["y"] - room["y"], room["y"] + room["height"] - box["y"] - box["height"]
        assert above >= 0
        assert below >= 0 or above == 0, "the card fills the room"


def test_an_order_that_was_chosen_in_another_view_begins_at_the_top(
    page: Page, served: str
) -> None:
    tab = open_page(page, served)
    expect_all_painted(tab, "samples")
    tab.locator(".grid").evaluate("grid => { grid.scrollTop = 900; }")
    show(tab, "follow")
    tab.locator("#sort").select_option("oldest")
    tab.locator("#search").fill("e")
    show(tab, "samples")
    wait_for_paint(tab)
    assert tab.locator(".grid").evaluate("grid => grid.scrollTop") == 0


def test_retry_removes_the_message_when_nothing_is_missing_any_more(
    page: Page, served: str
) -> None:
    tab = open_page(page, served)
    expect_all_painted(tab, "samples")
    tab.evaluate(
        "() => { window.works = fetch; window.fetch = async () => { throw new Error('no.'); }; }"
    )
    tab.locator(".grid").evaluate("grid => { grid.scrollTop = 1e6; }")
    problem = tab.locator(".problems")
    expect(problem).to_contain_text("The pictures could not be loaded")
    tab.evaluate("() => { window.fetch = window.works; }")
    tab.locator(".grid").evaluate("grid => { grid.scrollTop = 0; }")
    wait_for_paint(tab)
    problem.get_by_role("button").click()
    expect(problem).to_be_hidden()


def test_a_frame_without_arrays_says_why(
    page: Page, tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    """It still does after it was scrolled out of view and back."""
    rng = np.random.default_rng(5)
    file = EventFile(tmp_path / file_name("damaged"))
    for number in range(60):
        sample = make_sample(rng, step=100 * number, id="seven", probe=True)
        record, payload = encode_sample(sample)
        spoilt = payload[:-5] + b"xxxxx" if number == 1 else payload
        file.append(
            make_event("confused", "damaged", number, [(record, spoilt)], DIGITS, 1e9 + number)
        )
    file.close()
    tab = open_page(page, serve_here(tmp_path).address, view="follow")
    last = tab.locator(".frame", has_text="step 5,900")
    expect(last).to_be_in_viewport()  # It opens at the newest step.
    tab.locator(".strips").evaluate("node => { node.scrollLeft = 0; }")
    bad = tab.locator(".frame", has_text="step 100").first
    expect(bad).to_contain_text("This sample's arrays are damaged")
    for left in (3000, 0):
        tab.locator(".strips").evaluate("(node, left) => { node.scrollLeft = left; }", left)
        wait_for_paint(tab)
    expect(bad).to_contain_text("This sample's arrays are damaged")


def test_the_original_of_a_strip_follows_the_theme(
    page: Page, tmp_path: Path, serve_here: Callable[..., Board]
) -> None:
    rng = np.random.default_rng(5)
    captures = [
        [make_sample(rng, step=step, shape=(2, 64), id="wave", probe=True)] for step in (0, 1)
    ]
    write_session(tmp_path, captures)
    tab = open_page(page, serve_here(tmp_path).address, view="follow")
    expect_all_painted(tab, "follow")
    shades = []
    for dark in (False, True):
        if dark:
            set_theme(tab, "dark")
            wait_for_paint(tab)
        corner = read_pixels(tab.locator(".strip-head canvas"), 0, 0, 1, 1)
        shades.append(int(corner.max()))
    assert shades[0] > 200
    assert shades[1] < 100


def test_tags_of_one_session_keep_their_own_pictures(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    """The captures of each tag are numbered from 0, and the pictures of the last tag are kept."""
    rng = np.random.default_rng(0)
    file = EventFile(tmp_path / file_name("s"))
    recorded: dict[str, CapturedSample] = {}
    for tag, targets in (("confused", [8, 5]), ("validation", [3])):
        samples = [make_sample(rng, id=f"{tag} {number}", targets=targets) for number in range(4)]
        recorded |= {str(sample.id): sample for sample in samples}
        file.append(make_event(tag, "s", 0, [encode_sample(each) for each in samples], DIGITS, 1e9))
    file.close()
    tab = open_page(page, serve_here(tmp_path).address)
    for tag in ("confused", "validation", "confused"):
        tab.locator("#tag").select_option(tag)
        cards = tab.locator(f'.sample[data-painted]:has-text("{tag} ")')
        expect(cards).to_have_count(4)
        wait_for_paint(tab)
        for card in cards.all():
            (sample,) = (each for name, each in recorded.items() if name in card.inner_text())
            painted = read_panel(card, "image")[..., 0]
            exact = (sample.image[0] * 0.3081 + 0.1307).clip(0, 1) * 255
            assert np.abs(painted - exact).max() <= 1, f"{sample.id} has another picture"
