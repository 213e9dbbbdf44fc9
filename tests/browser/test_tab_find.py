"""Finding samples in the tab, in a real Chromium: what was chosen is what is seen."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent import GradAscentHook, Sample, read_samples
from tb_gradascent.format import metadata, records
from tb_gradascent.format.event_file import EventFile, file_name
from testing.browser import open_tab, reload_data, set_strength
from testing.synthetic import DIGITS, make_captures, make_event, write_session
from testing.tensorboard_process import tensorboard

pytestmark = pytest.mark.browser


RUNS = ("baseline", "dropout")


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[list[Sample]]]:
    """The captures of two runs, 24 samples each; run by run."""
    return {run: make_captures(6, seed=seed) for seed, run in enumerate(RUNS)}


@pytest.fixture(scope="module")
def address(
    tmp_path_factory: pytest.TempPathFactory, recorded: dict[str, list[list[Sample]]]
) -> Iterator[str]:
    """A TensorBoard on these runs."""
    logdir = tmp_path_factory.mktemp("runs")
    for run, captures in recorded.items():
        write_session(logdir / run, captures)
    with tensorboard(logdir) as address:
        yield address


@pytest.fixture(scope="module")
def samples(recorded: dict[str, list[list[Sample]]]) -> list[Sample]:
    """All that was recorded."""
    return [sample for captures in recorded.values() for samples in captures for sample in samples]


@pytest.fixture
def tab(page: Page, address: str) -> Frame:
    tab = open_tab(page, address)
    tab.locator(".sample[data-painted]").first.wait_for()
    return tab


def reopened(page: Page) -> Frame:
    """The tab after the browser has loaded the whole page again."""
    page.reload()
    element = page.wait_for_selector('iframe[src*="gradascent"]')
    assert element is not None
    frame = element.content_frame()
    assert frame is not None
    frame.locator(".sample[data-painted]").first.wait_for()
    return frame


def test_the_address_brings_everything_back_and_history_stays_short(page: Page, tab: Frame) -> None:
    before = page.evaluate("history.length")
    tab.locator("#sort").select_option("margin")
    tab.locator('input[name="run"][value="dropout"]').set_checked(False)
    for strength in (0.2, 0.4, 0.5):
        set_strength(tab, strength)
    page.wait_for_url("**#gradascent&*p.gradascent.strength=0.5*")
    assert page.evaluate("history.length") == before
    tab = reopened(page)
    expect(tab.locator("#sort")).to_have_value("margin")
    expect(tab.locator('input[name="run"][value="dropout"]')).not_to_be_checked()
    expect(tab.locator('output[for="strength"]')).to_have_text("0.50")
    expect(tab.locator(".count")).to_have_text("24 of 24 samples")


def test_the_choice_outlives_another_tab_and_a_link_pasted_into_the_address(
    page: Page, tab: Frame
) -> None:
    set_strength(tab, 0.5)
    page.wait_for_url("**p.gradascent.strength=0.5*")
    page.locator("mat-select").first.click()
    page.get_by_role("option", name="Images").click()
    page.wait_for_url("**#images*")
    page.locator('[data-plugin-id="gradascent"]').click()
    page.wait_for_url("**#gradascent*")
    expect(tab.locator('output[for="strength"]')).to_have_text("0.50")
    page.evaluate("location.hash = 'gradascent&p.gradascent.sort=oldest'")
    expect(tab.locator("#sort")).to_have_value("oldest")
    expect(tab.locator('output[for="strength"]')).to_have_text("1.00")


def option(tab: Frame, select: str, words: str) -> str:
    """The text of the option that begins with these words."""
    options: list[str] = tab.locator(f"{select} option").all_inner_texts()
    (found,) = [text for text in options if text.startswith(f"{words} (")]
    return found


def prediction(sample: Sample) -> int:
    return int(sample.classes[0])


def pair(sample: Sample) -> tuple[int, ...]:
    return tuple(sorted(int(index) for index in sample.classes[:2]))


def expect_count(tab: Frame, samples: list[Sample], passes: Callable[[Sample], bool]) -> None:
    """The count, and as many cards, or as many as the screen holds."""
    left = sum(map(passes, samples))
    expect(tab.locator(".count")).to_have_text(f"{left} of {len(samples)} samples")
    if not left:
        expect(tab.locator(".sample")).to_have_count(0)


def test_filters_narrow_what_is_shown_and_every_option_says_how_far(
    tab: Frame, samples: list[Sample]
) -> None:
    most, count = Counter(map(prediction, samples)).most_common(1)[0]
    tab.locator("#prediction").select_option(option(tab, "#prediction", str(most)))
    assert option(tab, "#prediction", str(most)) == f"{most} ({count})"
    expect_count(tab, samples, lambda sample: prediction(sample) == most)
    for title in tab.locator(".sample h2").all_inner_texts():
        assert title.startswith(f"predicts {most} (")

    wrong = [s for s in samples if prediction(s) == most and s.label != most]
    tab.locator("#outcome").select_option(option(tab, "#outcome", "wrong"))
    expect_count(tab, samples, lambda s: prediction(s) == most and s.label != most)
    assert option(tab, "#outcome", "wrong") == f"wrong ({len(wrong)})"

    likely = Counter(map(pair, wrong)).most_common(1)[0][0]
    words = "{} and {}".format(*likely)
    tab.get_by_text("More filters").click()
    tab.locator("#pair").select_option(option(tab, "#pair", words))

    def all_of_it(s: Sample) -> bool:
        return prediction(s) == most != s.label and pair(s) == likely

    expect_count(tab, samples, all_of_it)

    chips = tab.locator(".active-filters li button")
    assert [text.rstrip("×").strip() for text in chips.all_inner_texts()] == [
        f"top two classes {likely[0]} and {likely[1]}",
        f"prediction {most}",
        "wrong",
    ]
    tab.get_by_role("button", name="Remove the filter: wrong").click()
    expect_count(tab, samples, lambda s: prediction(s) == most and pair(s) == likely)
    tab.get_by_role("button", name="Clear all").click()
    expect_count(tab, samples, lambda _: True)
    expect(chips).to_have_count(0)


def test_steps_distances_and_ids_are_searched(tab: Frame, samples: list[Sample]) -> None:
    tab.locator("#search").press_sequentially("TRAIN/3-")
    expect_count(tab, samples, lambda sample: sample.id is not None and "/3-" in sample.id)
    expect(tab.locator(".sample .meta").first).to_contain_text("train/3-")
    tab.locator("#search").fill("")
    tab.get_by_text("More filters").click()
    tab.locator("#steps-from").fill("200")
    tab.locator("#steps-to").fill("300")
    tab.locator("#steps-to").press("Tab")
    expect_count(tab, samples, lambda sample: 200 <= sample.step <= 300)

    def distance(sample: Sample) -> float:
        return min((t.flip_distance for t in sample.targets if t.flip_distance), default=math.inf)

    middle = statistics.median(map(distance, samples)) + 1e-6
    tab.locator("#flip-to").fill(f"{middle:.9f}")
    tab.locator("#flip-to").press("Tab")
    expect_count(tab, samples, lambda s: 200 <= s.step <= 300 and distance(s) <= middle)
    tab.locator("#search").fill("no such id")
    expect_count(tab, samples, lambda _: False)
    expect(tab.locator(".message .note")).to_have_text(
        "No sample passes all filters. Remove a filter."
    )
    tab.get_by_role("button", name="Clear all").click()
    expect_count(tab, samples, lambda _: True)


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("loss", lambda sample: -(sample.loss if sample.loss is not None else -math.inf)),
        ("entropy", lambda sample: -sample.entropy),
        ("gradient", lambda sample: -max(target.gradient_norm for target in sample.targets)),
    ],
)
def test_the_first_in_an_order_is_the_most_extreme(
    tab: Frame, samples: list[Sample], order: str, key: Callable[[Sample], float]
) -> None:
    tab.locator("#sort").select_option(order)
    first = min(samples, key=key)
    meta = tab.locator(".sample .meta").first
    expect(meta).to_contain_text(str(first.id))
    expect(meta).to_contain_text(f"step {first.step}")


def test_a_filter_does_not_move_what_one_looks_at(tab: Frame, samples: list[Sample]) -> None:
    tab.locator(".grid").evaluate("grid => grid.scrollTop = 1500")
    tab.wait_for_function("document.querySelector('.grid .sample').offsetTop > 500")
    titles = "cards => cards.map(card => [card.dataset.sample, card.querySelector('h2').innerText])"
    # Half a screen exists beyond the visible part.
    middle = tab.locator(".sample").evaluate_all(titles)[len(tab.locator(".sample").all()) // 2]
    key, says = middle[0], middle[1].split()[1]
    expect(tab.locator(f'.sample[data-sample="{key}"]')).to_be_in_viewport()
    tab.locator("#prediction").select_option(option(tab, "#prediction", says))
    expect_count(tab, samples, lambda sample: prediction(sample) == int(says))
    expect(tab.locator(f'.sample[data-sample="{key}"]')).to_be_in_viewport()
    tab.get_by_role("button", name="Clear all").click()
    expect_count(tab, samples, lambda _: True)
    expect(tab.locator(f'.sample[data-sample="{key}"]')).to_be_in_viewport()


def test_a_filter_that_leaves_nothing_of_it_starts_from_the_top(
    tab: Frame, samples: list[Sample]
) -> None:
    tab.locator(".grid").evaluate("grid => grid.scrollTop = 1e6")
    tab.wait_for_function("document.querySelector('.grid').scrollTop > 1000")
    tab.locator("#search").fill("train/5-")
    expect_count(tab, samples, lambda sample: sample.step == 500)
    assert tab.locator(".grid").evaluate("grid => grid.scrollTop") == 0


def test_tensorboards_own_run_filter_is_followed(page: Page, address: str) -> None:
    page.goto(f"{address}#gradascent&regexInput=drop")
    element = page.wait_for_selector('iframe[src*="gradascent"]')
    tab = element.content_frame() if element else None
    assert tab
    expect(tab.locator(".count")).to_have_text("24 of 24 samples")
    expect(tab.locator('input[name="run"]')).to_have_count(1)
    tab.locator("#run-filter").fill("")
    expect(tab.locator(".count")).to_have_text("48 of 48 samples")


def test_of_many_runs_some_are_shown_and_others_a_click_away(
    serve: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    for number in range(12):
        write_session(tmp_path / f"run{number:02}", make_captures(1, 1, seed=number))
    tab = open_tab(page, serve(tmp_path))
    expect(tab.locator(".run-count")).to_have_text("10 of 12 shown")
    expect(tab.locator(".count")).to_have_text("10 of 10 samples")
    tab.get_by_role("button", name="All", exact=True).click()
    expect(tab.locator(".count")).to_have_text("12 of 12 samples")
    expect(tab.locator(".run-count")).to_have_text("")
    tab.locator("#run-filter").fill("run0[1-3]")
    expect(tab.locator('input[name="run"]')).to_have_count(3)
    expect(tab.locator(".count")).to_have_text("3 of 3 samples")
    tab.get_by_role("button", name="Only run02").click()
    expect(tab.locator(".run-count")).to_have_text("1 of 12 shown")
    assert {key.split("|")[0] for key in keys(tab)} == {"run02"}
    tab.get_by_role("button", name="None", exact=True).click()
    expect(tab.locator(".message .note")).to_have_text(
        "No run is ticked. Tick a run to see its samples."
    )


def keys(tab: Frame) -> list[str]:
    """The samples on the screen."""
    cards = tab.locator(".sample").all()
    return [key for key in (card.get_attribute("data-sample") for card in cards) if key]


def cell(tab: Frame, row: int, column: int) -> Locator:
    """The confusion matrix's cell of two classes."""
    return tab.locator(f'[role="gridcell"][data-row="{row}"][data-column="{column}"]')


def test_the_confusion_matrix_counts_and_its_cells_are_filters(
    tab: Frame, samples: list[Sample]
) -> None:
    counts = Counter((sample.label, prediction(sample)) for sample in samples)
    for row in range(10):
        for column in range(10):
            expect(cell(tab, row, column)).to_have_text(str(counts[row, column] or ""))
    (label, said), count = max(
        ((key, count) for key, count in counts.items() if key[0] != key[1]),
        key=lambda item: item[1],
    )
    assert label is not None
    words = f"label {label}, prediction {said}: {count} samples"
    expect(cell(tab, label, said)).to_have_attribute("title", words)
    cell(tab, label, said).click()
    expect_count(tab, samples, lambda s: (s.label, prediction(s)) == (label, said))
    expect(cell(tab, label, said)).to_have_attribute("aria-selected", "true")
    # The matrix itself stays as it is: another cell is one click away.
    expect(cell(tab, label, said)).to_have_text(str(count))
    cell(tab, label, said).click()
    expect_count(tab, samples, lambda _: True)

    def darkness(row: int, column: int) -> float:
        colour = cell(tab, row, column).evaluate(
            """cell => {
                const canvas = new OffscreenCanvas(1, 1).getContext("2d");
                canvas.fillStyle = getComputedStyle(cell).backgroundColor;
                canvas.fillRect(0, 0, 1, 1);
                return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
            }"""
        )
        return 255 - float(sum(colour)) / 3

    beside = sorted((counts[r, c], darkness(r, c)) for r in range(5) for c in range(10) if r != c)
    for (fewer, lighter), (more, darker) in itertools.pairwise(beside):
        assert lighter < darker if fewer < more else lighter == darker


def test_the_matrix_of_guesses_is_walked_through_by_keys(tab: Frame, samples: list[Sample]) -> None:
    tab.locator("#matrix-axes").select_option("guesses")
    counts = Counter(tuple(int(index) for index in sample.classes[:2]) for sample in samples)
    expect(cell(tab, *counts.most_common(1)[0][0])).to_have_text(str(counts.most_common(1)[0][1]))
    tab.locator('[role="gridcell"][tabindex="0"]').focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "End", "ArrowLeft"):
        tab.page.keyboard.press(key)
    expect(cell(tab, 2, 8)).to_be_focused()
    tab.page.keyboard.press("Enter")
    expect_count(tab, samples, lambda s: (s.classes[0], s.classes[1]) == (2, 8))
    expect(cell(tab, 2, 8)).to_be_focused()
    tab.page.keyboard.press(" ")
    expect_count(tab, samples, lambda _: True)


def test_of_many_classes_the_matrix_lists_those_that_are_mixed_up_most(
    serve: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    many = [
        [
            dataclasses.replace(sample, label=7 * step + place, classes=sample.classes + 7 * step)
            for place, sample in enumerate(samples)
        ]
        for step, samples in enumerate(make_captures(30, seed=3))
    ]
    found = {s.label for samples in many for s in samples} | {
        prediction(s) for samples in many for s in samples
    }
    write_session(tmp_path / "run", many, info=metadata.SessionInfo())
    tab = open_tab(page, serve(tmp_path))
    expect(tab.locator(".matrix")).to_contain_text(f"Only the 16 of {len(found)} classes")
    expect(tab.locator('.matrix [role="gridcell"]')).to_have_count(16 * 16)
    names = tab.locator('.matrix th[scope="col"]').evaluate_all(
        """names => names.map((name) => [
            name.getBoundingClientRect().width,
            parseFloat(getComputedStyle(name).lineHeight),
        ])"""
    )
    assert all(width >= line - 1 for width, line in names), "no name is written over another"


def test_one_step_is_shown_of_all_runs(tab: Frame, samples: list[Sample]) -> None:
    box = tab.get_by_label("Go to step")
    box.fill("250")
    box.press("Enter")
    expect_count(tab, samples, lambda sample: sample.step == 200)
    expect(tab.locator(".active-filters")).to_contain_text("step 250")
    for meta in tab.locator(".sample .meta").all_inner_texts():
        assert "step 200" in meta
    tab.locator("#step").press("ArrowRight")
    expect_count(tab, samples, lambda sample: sample.step == 300)
    expect(box).to_have_value("300")
    tab.get_by_role("button", name="All steps").click()
    expect_count(tab, samples, lambda _: True)
    expect(box).to_have_value("")


@pytest.mark.parametrize(
    ("typed", "chosen", "step"),
    [("150.7", "150", 100), ("-5", "0", 0), ("1e300", str(2**53 - 1), 500)],
)
def test_whatever_is_typed_as_a_step_comes_back_from_the_address(
    page: Page, tab: Frame, samples: list[Sample], typed: str, chosen: str, step: int
) -> None:
    box = tab.get_by_label("Go to step")
    box.fill(typed)
    box.press("Enter")
    expect(box).to_have_value(chosen)
    expect_count(tab, samples, lambda sample: sample.step == step)
    page.wait_for_url(f"**p.gradascent.steps={chosen}")
    tab = reopened(page)
    expect(tab.get_by_label("Go to step")).to_have_value(chosen)
    expect_count(tab, samples, lambda sample: sample.step == step)


def test_a_label_below_zero_comes_back_from_the_address(
    serve: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    (samples,) = make_captures(1)
    strange = [dataclasses.replace(sample, label=-1) for sample in samples[:2]]
    write_session(tmp_path, [[*strange, *samples[2:]]])
    tab = open_tab(page, serve(tmp_path))
    tab.locator(".sample[data-painted]").first.wait_for()
    tab.locator("#label").select_option(option(tab, "#label", "class -1"))
    expect(tab.locator(".count")).to_have_text("2 of 4 samples")
    page.wait_for_url("**p.gradascent.label=-1")
    expect(reopened(page).locator(".count")).to_have_text("2 of 4 samples")


def test_where_the_page_is_narrow_the_filters_fold_away(
    page: Page, tab: Frame, samples: list[Sample]
) -> None:
    page.set_viewport_size({"width": 700, "height": 900})
    fold = tab.get_by_role("button", name="Filters")
    expect(tab.locator("#search")).to_be_hidden()
    expect(tab.locator(".sample[data-painted]").first).to_be_visible()
    assert tab.locator("body").evaluate("body => body.scrollWidth") <= 700
    expect(fold).to_have_attribute("aria-expanded", "false")
    fold.click()
    expect(fold).to_have_attribute("aria-expanded", "true")
    tab.locator("#search").fill("train/3-")
    expect_count(tab, samples, lambda sample: sample.step == 300)
    fold.click()
    expect(tab.locator("#search")).to_be_hidden()
    expect(fold).to_have_text("Filters (1)")
    # The key that goes to the search box unfolds it.
    tab.locator(".grid").focus()
    page.keyboard.press("/")
    expect(tab.locator("#search")).to_be_focused()


def test_a_filter_that_is_removed_leaves_the_focus_at_the_next(page: Page, address: str) -> None:
    tab = open_tab(page, address, outcome="wrong", id="train", steps="0..900")
    tab.locator(".sample[data-painted]").first.wait_for()
    chips = tab.locator(".active-filters li button")
    expect(chips).to_have_count(3)
    chips.nth(1).press("Enter")
    expect(chips).to_have_count(2)
    expect(chips.nth(1)).to_have_text(re.compile("^id contains"))
    expect(chips.nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(chips).to_have_count(1)
    expect(chips).to_be_focused()
    page.keyboard.press("Enter")
    expect(chips).to_have_count(0)
    expect(tab.locator(".grid")).to_be_focused()


@pytest.mark.parametrize(
    ("view", "where"), [("Samples", ".grid"), ("Follow", "#search"), ("Compare", ".pairs")]
)
@pytest.mark.parametrize("sought", ["train", "no such id"])
def test_with_the_last_filter_gone_the_focus_is_at_the_samples_or_the_search(
    tab: Frame, view: str, where: str, sought: str
) -> None:
    """In this log directory nothing can be followed."""
    tab.get_by_role("tab", name=view).click()
    tab.locator("#search").fill(sought)
    clear = tab.get_by_role("button", name="Clear all")
    clear.press("Enter")
    expect(clear).to_be_hidden()
    expect(tab.locator(where)).to_be_focused()


def test_a_new_run_leaves_the_focus_and_the_boxes_where_they_are(
    serve: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    write_session(tmp_path / "first", make_captures(1, 1), start=1e9)
    tab = open_tab(page, serve(tmp_path))
    boxes = tab.locator('input[name="run"]')
    expect(boxes).to_have_count(1)
    expect(tab.locator(".only")).to_be_hidden()
    boxes.focus()
    for count, run in enumerate(("before", "later"), start=2):
        write_session(tmp_path / run, make_captures(1, 1), start=2e9)
        for _ in range(100):
            reload_data(page)
            page.wait_for_timeout(300)
            if boxes.count() == count:
                break
        expect(boxes).to_have_count(count)
        expect(tab.locator('input[value="first"]')).to_be_focused()
    names = boxes.evaluate_all("boxes => boxes.map(({ value }) => value)")
    assert names == ["before", "first", "later"]
    expect(tab.locator(".only")).to_have_count(3)
    page.keyboard.press("Tab")
    expect(tab.get_by_role("button", name="Only first")).to_be_focused()


def test_where_nothing_can_be_read_the_page_does_not_blame_the_filters(
    serve: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    (samples,) = make_captures(1)
    session = metadata.new_session()
    damaged = [(b"no record", payload) for _, payload in map(records.encode, samples)]
    for run, captures in (("damaged", [damaged, damaged[:1]]), ("empty", [[]])):
        file = EventFile(tmp_path / run / file_name(session))
        for number, encoded in enumerate(captures):
            file.append(make_event("confused", session, number, encoded, DIGITS, 1e9 + number))
        file.close()
    tab = open_tab(page, serve(tmp_path))
    message = tab.locator(".message .note")
    expect(message).to_have_text(
        "No sample can be shown. The records are damaged, "
        "or a newer version of the hook wrote them."
    )
    expect(tab.locator(".count")).to_have_text("0 of 0 samples, 5 unreadable")
    tab.locator('input[value="damaged"]').set_checked(False)
    expect(message).to_have_text("The ticked runs have no samples yet.")
    tab.locator('input[value="empty"]').set_checked(False)
    expect(message).to_have_text("No run is ticked. Tick a run to see its samples.")


def test_what_became_of_all_captures_is_told(
    serve: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    (samples,) = make_captures(1, 3)
    session = metadata.new_session()
    file = EventFile(tmp_path / file_name(session))
    for number, every in enumerate((None, 200, 400, 800)):
        later = [dataclasses.replace(sample, step=100 * number) for sample in samples]
        encoded = [records.encode(sample, dropped=1234 * number, every=every) for sample in later]
        damaged = [*encoded, (b"no record", b"")]
        file.append(make_event("confused", session, number, damaged, DIGITS, 1e9 + number))
    file.close()
    write_session(tmp_path, make_captures(1, 2, every=300)[:1], start=2e9)
    tab = open_tab(page, serve(tmp_path))
    expect(tab.locator(".count")).to_contain_text("2 of 2 samples")
    tab.get_by_text("What was recorded").click()
    names, values = (tab.locator(f".trust {part}").all_inner_texts() for part in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert facts == {
        "samples in the ticked runs": "2",
        "lost in writing": "3,702",
        "unreadable": "4",
        "superseded": "12",
        "budget": "captures as often as configured",
        "record version": str(metadata.RECORD_VERSION),
    }


def test_what_the_budget_did_is_told(serve: Callable[..., str], page: Page, tmp_path: Path) -> None:
    batch = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with GradAscentHook(
        torch.nn.Identity(),
        tmp_path / "long",
        every=1,
        budget_mb=0.05,
        top_k=1,
        strict=True,
        forward=lambda model, images: images.flatten(1)[:, :3],
    ) as hook:
        for _ in range(200):
            hook(batch, batch.flatten(1)[:, :3])
            hook._writer.flush()
    steps = sorted({sample.step for sample in read_samples(tmp_path)})
    gaps = [after - before for before, after in itertools.pairwise(steps)]
    first = steps[next(place for place, gap in enumerate(gaps) if gap > 1)]
    tab = open_tab(page, serve(tmp_path))
    tab.get_by_text("What was recorded").click()
    words = f"captures are rarer from step {first} on, at most {max(gaps)} steps apart"
    expect(tab.locator(".trust dd").nth(-2)).to_have_text(words)


def test_an_update_moves_nothing_of_what_one_looks_at(
    serve: Callable[..., str], page: Page, tmp_path: Path
) -> None:
    captures = make_captures(20)
    write_session(tmp_path / "run", captures[:10], session="first", start=1e9)
    address = serve(tmp_path)
    tab = open_tab(page, address)
    expect(tab.locator(".count")).to_have_text("40 of 40 samples")
    tab.locator("#sort").select_option("margin")
    tab.locator("#outcome").select_option("wrong")
    wrong = [s for samples in captures for s in samples if prediction(s) != s.label]
    before = sum(sample.step < 1000 for sample in wrong)
    expect(tab.locator(".count")).to_have_text(f"{before} of 40 samples")
    tab.locator(".grid").evaluate("grid => grid.scrollTop = 1000")
    tab.wait_for_function("document.querySelector('.grid .sample').offsetTop > 300")
    tops = """grid => Object.fromEntries([...grid.querySelectorAll(".sample")]
        .map((card) => [card.dataset.sample, card.getBoundingClientRect()])
        .filter(([, { bottom }]) => bottom > grid.getBoundingClientRect().top)
        .map(([key, { top, left }]) => [key, [Math.round(top), Math.round(left)]]))"""
    seen = tab.locator(".grid").evaluate(tops)
    assert seen
    write_session(tmp_path / "run", captures[10:], session="second", start=2e9)
    for _ in range(100):
        reload_data(page)
        page.wait_for_timeout(300)
        if "80 samples" in tab.locator(".count").inner_text():
            break
    expect(tab.locator(".count")).to_have_text(f"{len(wrong)} of 80 samples")
    now = tab.locator(".grid").evaluate(tops)
    assert next(iter(seen.items())) in now.items(), "the first card stands where it stood"
