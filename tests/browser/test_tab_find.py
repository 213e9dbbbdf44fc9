"""Find samples on the page, in a real Chromium: the page shows what was chosen."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import statistics
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import Frame, Locator, Page, expect

from tb_gradascent import GradAscentHook, read_samples
from tb_gradascent.format import metadata
from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.sample_codec import encode_sample
from tb_gradascent.format.samples import CapturedSample as Sample
from testing.board import Board
from testing.browser import open_as_new, open_page, press_reload, wait_for_samples
from testing.synthetic import DIGITS, make_captures, make_event, make_sample, write_session

pytestmark = pytest.mark.browser


RUNS = ("baseline", "dropout")


@pytest.fixture(scope="module")
def recorded() -> dict[str, list[list[Sample]]]:
    """The captures of two runs with 24 samples each, by run."""
    return {run: make_captures(6, seed=seed) for seed, run in enumerate(RUNS)}


@pytest.fixture(scope="module")
def logdir(
    tmp_path_factory: pytest.TempPathFactory, recorded: dict[str, list[list[Sample]]]
) -> Path:
    """A log directory with these runs."""
    directory = tmp_path_factory.mktemp("runs")
    for run, captures in recorded.items():
        write_session(directory / run, captures)
    return directory


@pytest.fixture(scope="module")
def samples(recorded: dict[str, list[list[Sample]]]) -> list[Sample]:
    """All samples of both runs."""
    return [sample for captures in recorded.values() for samples in captures for sample in samples]


@pytest.fixture
def tab(page: Page, served: str) -> Frame:
    """The page with its first samples painted."""
    tab = open_page(page, served)
    wait_for_samples(tab)
    return tab


def option(tab: Frame, select: str, words: str) -> str:
    """Return the text of the option that begins with these words."""
    options: list[str] = tab.locator(f"{select} option").all_inner_texts()
    (found,) = [text for text in options if text.startswith(f"{words} (")]
    return found


def prediction(sample: Sample) -> int:
    return int(sample.classes[0])


def pair(sample: Sample) -> tuple[int, ...]:
    return tuple(sorted(int(index) for index in sample.classes[:2]))


def is_at(step: int) -> Callable[[Sample], bool]:
    return lambda sample: sample.step == step


def is_recent(sample: Sample) -> bool:
    """Whether a sample is in the latest third of its run's steps, 0 to 500: the first choice."""
    return sample.step > 333


def expect_count(tab: Frame, samples: list[Sample], passes: Callable[[Sample], bool]) -> None:
    """Expect the count of the samples that pass, and no card if there is none."""
    left = sum(map(passes, samples))
    expect(tab.locator(".count")).to_have_text(f"{left} of {len(samples)} samples")
    if not left:
        expect(tab.locator(".sample")).to_have_count(0)


def test_filters_narrow_the_samples_and_every_option_has_a_count(
    tab: Frame, samples: list[Sample]
) -> None:
    most, count = Counter(map(prediction, samples)).most_common(1)[0]
    tab.locator("#prediction").select_option(option(tab, "#prediction", str(most)))
    assert option(tab, "#prediction", str(most)) == f"{most} ({count})"
    expect_count(tab, samples, lambda sample: prediction(sample) == most)
    for title in tab.locator(".sample h2").all_inner_texts():
        assert title.startswith(f"{most} ")

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
    tab.get_by_role("button", name="Reset").click()
    expect_count(tab, samples, is_recent)
    expect(chips).to_have_count(1)
    chips.click()
    expect_count(tab, samples, lambda _: True)


def test_samples_are_found_by_step_distance_and_id(tab: Frame, samples: list[Sample]) -> None:
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
        "No sample passes all filters. Remove one of those above."
    )
    tab.get_by_role("button", name="Reset").click()
    expect_count(tab, samples, is_recent)


def test_each_order_begins_with_the_most_extreme_sample(tab: Frame, samples: list[Sample]) -> None:
    keys: dict[str, Callable[[Sample], float]] = {
        "loss": lambda sample: -(sample.loss if sample.loss is not None else -math.inf),
        "entropy": lambda sample: -sample.entropy,
        "gradient": lambda sample: -max(target.gradient_norm for target in sample.targets),
    }
    for order, key in keys.items():
        tab.locator("#sort").select_option(order)
        first = min(samples, key=key)
        meta = tab.locator(".sample .meta").first
        expect(meta).to_contain_text(str(first.id))
        expect(meta).to_contain_text(f"step {first.step}")


def test_a_filter_keeps_the_visible_samples_in_sight(tab: Frame, samples: list[Sample]) -> None:
    tab.locator(".grid").evaluate("grid => grid.scrollTop = 1500")
    tab.wait_for_function("document.querySelector('.grid .sample').offsetTop > 500")
    titles = "cards => cards.map(card => [card.dataset.sample, card.querySelector('h2').innerText])"
    # Half a screen exists beyond the visible part.
    middle = tab.locator(".sample").evaluate_all(titles)[len(tab.locator(".sample").all()) // 2]
    key, says = middle[0], middle[1].split()[0]
    expect(tab.locator(f'.sample[data-sample="{key}"]')).to_be_in_viewport()
    tab.locator("#prediction").select_option(option(tab, "#prediction", says))
    expect_count(tab, samples, lambda sample: prediction(sample) == int(says))
    expect(tab.locator(f'.sample[data-sample="{key}"]')).to_be_in_viewport()
    tab.get_by_role("button", name="Remove the filter: prediction").click()
    expect_count(tab, samples, lambda _: True)
    expect(tab.locator(f'.sample[data-sample="{key}"]')).to_be_in_viewport()


def test_a_filter_that_removes_all_visible_samples_scrolls_to_the_top(
    tab: Frame, samples: list[Sample]
) -> None:
    tab.locator(".grid").evaluate("grid => grid.scrollTop = 1e6")
    tab.wait_for_function("document.querySelector('.grid').scrollTop > 1000")
    tab.locator("#search").fill("train/5-")
    expect_count(tab, samples, lambda sample: sample.step == 500)
    assert tab.locator(".grid").evaluate("grid => grid.scrollTop") == 0


def test_the_first_ten_runs_are_shown_and_the_others_can_be_ticked(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    for number in range(12):
        write_session(tmp_path / f"run{number:02}", make_captures(1, 1, seed=number))
    tab = open_page(page, serve_here(tmp_path).address)
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
    """Return the keys of the cards on the page."""
    cards = tab.locator(".sample").all()
    return [key for key in (card.get_attribute("data-sample") for card in cards) if key]


def cell(tab: Frame, row: int, column: int) -> Locator:
    """Return the confusion matrix's cell of two classes."""
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
    # The matrix still counts all samples, so that another cell is one click away.
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


def test_keys_move_through_the_matrix_of_guesses(tab: Frame, samples: list[Sample]) -> None:
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


def test_the_matrix_lists_the_16_classes_that_are_confused_most(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
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
    tab = open_page(page, serve_here(tmp_path).address)
    expect(tab.locator(".matrix")).to_contain_text(f"Only the 16 of {len(found)} classes")
    expect(tab.locator('.matrix [role="gridcell"]')).to_have_count(16 * 16)
    names = tab.locator('.matrix th[scope="col"]').evaluate_all(
        """names => names.map((name) => [
            name.getBoundingClientRect().width,
            parseFloat(getComputedStyle(name).lineHeight),
        ])"""
    )
    assert all(width >= line - 1 for width, line in names), "no name overlaps another"


def test_one_step_of_all_runs_can_be_shown(tab: Frame, samples: list[Sample]) -> None:
    box = tab.get_by_label("Go to step")
    box.fill("250")
    box.press("Enter")
    expect_count(tab, samples, lambda sample: sample.step == 200)
    expect(tab.locator(".active-filters")).to_contain_text("step 250")
    expect(tab.locator(".facts-of-all")).to_contain_text("all at step 200")
    assert "step" not in " ".join(tab.locator(".sample .meta").all_inner_texts())
    tab.locator("#step").press("ArrowRight")
    expect_count(tab, samples, lambda sample: sample.step == 300)
    expect(box).to_have_value("300")
    tab.get_by_role("button", name="All steps").click()
    expect_count(tab, samples, lambda _: True)
    expect(box).to_have_value("")


def test_a_typed_step_is_rounded_and_comes_back_from_the_address(
    page: Page, tab: Frame, samples: list[Sample]
) -> None:
    box = tab.get_by_label("Go to step")
    for typed, chosen, step in (
        ("150.7", "150", 100),
        ("-5", "0", 0),
        ("1e300", str(2**53 - 1), 500),
    ):
        box.fill(typed)
        box.press("Enter")
        expect(box).to_have_value(chosen)
        expect_count(tab, samples, is_at(step))
        page.wait_for_url(f"**p.gradascent.steps={chosen}*")
        page.reload()
        wait_for_samples(tab)
        expect(box).to_have_value(chosen)
        expect_count(tab, samples, is_at(step))


def test_a_label_below_zero_comes_back_from_the_address(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    (samples,) = make_captures(1)
    strange = [dataclasses.replace(sample, label=-1) for sample in samples[:2]]
    write_session(tmp_path, [[*strange, *samples[2:]]])
    tab = open_page(page, serve_here(tmp_path).address)
    wait_for_samples(tab)
    tab.locator("#label").select_option(option(tab, "#label", "class -1"))
    expect(tab.locator(".count")).to_have_text("2 of 4 samples")
    page.wait_for_url("**p.gradascent.label=-1*")
    page.reload()
    wait_for_samples(tab)
    expect(tab.locator(".count")).to_have_text("2 of 4 samples")


def test_on_a_narrow_page_the_filters_fold_away(
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
    # The key for the search box unfolds the filters.
    tab.locator(".grid").focus()
    page.keyboard.press("/")
    expect(tab.locator("#search")).to_be_focused()
    # The Overview ignores the filters, and the runs can be chosen there, too.
    tab.locator("#tab-overview").click()
    runs = tab.get_by_role("button", name="Runs", exact=True)
    expect(runs).to_have_attribute("aria-expanded", "true")
    expect(tab.locator(".runs input").first).to_be_visible()
    expect(tab.locator("#search")).to_be_hidden()
    runs.click()
    expect(tab.locator(".runs input").first).to_be_hidden()


def test_removing_a_filter_moves_the_focus_to_the_next_one(page: Page, served: str) -> None:
    tab = open_page(page, served, outcome="wrong", id="train", steps="0..900")
    wait_for_samples(tab)
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


def test_clearing_the_last_filter_moves_the_focus_to_the_samples_or_the_search(tab: Frame) -> None:
    """In this log directory no sample can be followed."""
    for view, where in (
        ("Samples", ".grid"),
        ("Over training", "#search"),
        ("Compare runs", ".pairs"),
    ):
        for sought in ("train", "no such id"):
            tab.get_by_role("tab", name=view).click()
            tab.locator("#search").fill(sought)
            clear = tab.get_by_role("button", name="Reset")
            clear.press("Enter")
            expect(clear).to_be_hidden()
            expect(tab.locator(where)).to_be_focused()


def test_a_new_run_keeps_the_focus_and_the_order_of_the_boxes(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    write_session(tmp_path / "first", make_captures(1, 1), start=1e9)
    board = serve_here(tmp_path)
    tab = open_page(page, board.address)
    boxes = tab.locator('input[name="run"]')
    expect(boxes).to_have_count(1)
    expect(tab.locator(".only")).to_be_hidden()
    boxes.focus()
    for count, run in enumerate(("before", "later"), start=2):
        write_session(tmp_path / run, make_captures(1, 1), start=2e9)
        board.read()
        press_reload(tab)
        expect(boxes).to_have_count(count)
        expect(tab.locator('input[value="first"]')).to_be_focused()
    names = boxes.evaluate_all("boxes => boxes.map(({ value }) => value)")
    assert names == ["before", "first", "later"]
    expect(tab.locator(".only")).to_have_count(3)
    page.keyboard.press("Tab")
    expect(tab.get_by_role("button", name="Only first")).to_be_focused()


def test_the_message_says_why_no_sample_is_shown(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    (samples,) = make_captures(1)
    session = metadata.new_session()
    damaged = [(b"no record", payload) for _, payload in map(encode_sample, samples)]
    for run, captures in (("damaged", [damaged, damaged[:1]]), ("empty", [[]])):
        file = EventFile(tmp_path / run / file_name(session))
        for number, encoded in enumerate(captures):
            file.append(make_event("confused", session, number, encoded, DIGITS, 1e9 + number))
        file.close()
    tab = open_page(page, serve_here(tmp_path).address)
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


def test_lost_damaged_and_superseded_samples_are_counted(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    (samples,) = make_captures(1, 3)
    session = metadata.new_session()
    file = EventFile(tmp_path / file_name(session))
    for number, every in enumerate((None, 200, 400, 800)):
        later = [dataclasses.replace(sample, step=100 * number) for sample in samples]
        encoded = [encode_sample(sample, dropped=1234 * number, every=every) for sample in later]
        damaged = [*encoded, (b"no record", b"")]
        file.append(make_event("confused", session, number, damaged, DIGITS, 1e9 + number))
    file.close()
    write_session(tmp_path, make_captures(1, 2, every=300)[:1], start=2e9)
    tab = open_page(page, serve_here(tmp_path).address)
    expect(tab.locator(".count")).to_contain_text("2 of 2 samples")
    tab.get_by_text("What was recorded").click()
    names, values = (tab.locator(f".trust {part}").all_inner_texts() for part in ("dt", "dd"))
    facts = dict(zip(names, values, strict=True))
    assert facts == {
        "samples in the ticked runs": "2",
        "lost in writing": "3,702",
        "unreadable": "4",
        "superseded": "12",
        "interval": "captures as often as configured",
        "record version": str(metadata.RECORD_VERSION),
    }


def test_the_effect_of_the_budget_is_shown(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
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
        in_force = {}
        for step in range(200):
            in_force[step] = hook.stats.every
            hook(batch, batch.flatten(1)[:, :3])
            hook._capturer.writer.flush()
    stretched = {
        sample.step: in_force[sample.step]
        for sample in read_samples(tmp_path)
        if in_force[sample.step] > 1
    }
    first, most = min(stretched), max(stretched.values())
    tab = open_page(page, serve_here(tmp_path).address)
    tab.get_by_text("What was recorded").click()
    words = f"captures are rarer from step {first} on, at most {most} steps apart"
    expect(tab.locator(".trust dd").nth(-2)).to_have_text(words)


def test_a_reload_keeps_the_first_visible_card_in_place(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    captures = make_captures(20)
    write_session(tmp_path / "run", captures[:10], session="first", start=1e9)
    board = serve_here(tmp_path)
    tab = open_page(page, board.address)
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
    board.read()
    press_reload(tab)
    expect(tab.locator(".count")).to_have_text(f"{len(wrong)} of 80 samples")
    now = tab.locator(".grid").evaluate(tops)
    assert next(iter(seen.items())) in now.items(), "the first card kept its place"


def test_a_new_user_sees_the_latest_captures_and_what_changes_the_answer(
    serve_here: Callable[..., Board], page: Page, tmp_path: Path
) -> None:
    """Without probes, the wrong ones first, each card with the targets that change the answer."""
    rng = np.random.default_rng(2)
    captures = [
        [
            *(make_sample(rng, step=step, id=f"{place}") for place in range(3)),
            make_sample(rng, step=step, id="probe", probe=True),
        ]
        for step in (0, 10)
    ]
    captures = [
        [
            dataclasses.replace(one, label=int(one.classes[place % 2]))
            for place, one in enumerate(samples)
        ]
        for samples in captures
    ]
    write_session(tmp_path / "run", captures, start=1.7e9)
    tab = open_as_new(page, serve_here(tmp_path).address, view="samples")
    wait_for_samples(tab)
    expect(tab.locator(".count")).to_have_text("3 of 8 samples")
    chips = tab.locator(".active-filters li button .name")
    expect(chips).to_have_text(["no probes", "latest of each id in the latest third"])
    expect(tab.locator(".facts-of-all")).to_contain_text("all at step 10")
    truths = tab.locator(".sample .truth").evaluate_all("all => all.map(one => one.className)")
    assert truths == ["truth wrong", "truth right", "truth right"]
    said = tab.locator(".sample").evaluate_all(
        """cards => cards.map(card => [
            card.querySelector("h2 b").textContent,
            [...card.querySelectorAll(".verdict")].map(one => one.dataset.target),
        ])"""
    )
    assert all(prediction not in targets for prediction, targets in said)
    recent = "latest of each id in the latest third"
    chosen = tab.locator("#captures option:checked")
    expect(chosen).to_have_text(recent)
    tab.locator("#search").fill("early")
    expect(chosen).to_have_text("latest of each id")
    tab.locator("#search").fill("")
    expect(chosen).to_have_text(recent)
    tab.get_by_role("button", name=f"Remove the filter: {recent}").click()
    expect(tab.locator(".count")).to_have_text("6 of 8 samples")
    tab.get_by_role("button", name="Remove the filter: no probes").click()
    expect(tab.locator(".count")).to_have_text("8 of 8 samples")
    tab.get_by_role("button", name="Reset").click()
    expect(tab.locator(".count")).to_have_text("3 of 8 samples")
    expect(tab.get_by_role("button", name="Reset")).to_be_hidden()
