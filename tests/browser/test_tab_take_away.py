"""What the page exports, really downloaded or copied, and read back by csv, numpy, PIL, Python."""

from __future__ import annotations

import csv
import html
import io
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Frame, Page, expect

from tb_gradascent import Sample, read_samples
from testing.browser import (
    ALL_NEWEST_FIRST,
    hash_of,
    open_page,
    set_strength,
    wait_for_samples,
)
from testing.synthetic import make_sample, write_session

pytestmark = pytest.mark.browser

NASTY = "=1+1, \"quoted\"\n☃'''"


@pytest.fixture(scope="module")
def logdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of six samples each; one run and one sample have names that need care."""
    directory = tmp_path_factory.mktemp("taken")
    rng = np.random.default_rng(5)
    for run in ("base line", "other"):
        captures = [
            [make_sample(rng, step=step, id=NASTY if (step, place) == (10, 1) else f"{run}/{place}")
             for place in range(3)]
            for step in (0, 10)
        ]  # fmt: skip
        write_session(directory / run, captures, session=f"s-{run.replace(' ', '-')}", start=1.7e9)
    return directory


@pytest.fixture
def tab(page: Page, served: str) -> Frame:
    """The page with one run's samples, the smallest margin first."""
    page.context.clear_permissions()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab = open_page(page, served)
    tab.locator('input[name="run"][value="other"]').set_checked(False)
    expect(tab.locator(".count")).to_contain_text("6 of 6 samples")
    tab.locator("#sort").select_option("margin")
    wait_for_samples(tab)
    return tab


@pytest.fixture(scope="module")
def selection(logdir: Path) -> list[Sample]:
    """The samples that the page shows, in its order, read without the page."""
    return sorted(read_samples(logdir, run="base line"), key=lambda sample: sample.margin)


def download(page: Page, tab: Frame, name: str, folder: Path) -> Path:
    """Click one of the menu's buttons, and return the file that it saves."""
    tab.locator(".downloads summary").click()
    with page.expect_download() as started:
        tab.locator(f'.downloads button[name="{name}"]').click()
    file = folder / started.value.suggested_filename
    started.value.save_as(file)
    expect(tab.locator(".downloads [role=status]")).to_contain_text("6 samples were saved")
    return file


def test_the_downloaded_numbers_are_the_recorded_ones(
    page: Page, tab: Frame, tmp_path: Path, selection: list[Sample]
) -> None:
    file = download(page, tab, "Numbers", tmp_path)
    assert file.name == "gradascent-base-line-confused.csv"
    with file.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    expected = [(sample, target) for sample in selection for target in sample.targets]
    assert len(rows) == len(expected) == 12
    for row, (sample, target) in zip(rows, expected, strict=True):
        assert row["run"] == sample.run
        assert row["id"] == ("'" + NASTY if sample.id == NASTY else sample.id)
        assert int(row["step"]) == sample.step
        assert float(row["wall_time"]) == sample.wall_time
        assert int(row["target"]) == target.index
        assert int(row["prediction"]) == sample.classes[0]
        np.testing.assert_allclose(float(row["margin"]), sample.margin, rtol=1e-6)
        assert float(row["flip"]) == target.flip
        chances = np.array(row["target_probabilities"].split(), float)
        np.testing.assert_allclose(chances, target.probabilities, rtol=1e-5)


def test_the_downloaded_arrays_are_the_recorded_ones(
    page: Page, tab: Frame, tmp_path: Path, selection: list[Sample]
) -> None:
    file = download(page, tab, "Arrays", tmp_path)
    assert file.suffix == ".npz"
    with np.load(file, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["image"], [sample.image for sample in selection])
        bounds = [np.array(sample.bounds) for sample in selection]
        np.testing.assert_array_equal(arrays["bounds"], bounds)
        assert arrays["id"].tolist() == [sample.id for sample in selection]
        assert arrays["step"].tolist() == [sample.step for sample in selection]
        assert arrays["label"].tolist() == [sample.label for sample in selection]
        targets = [(place, one) for place, sample in enumerate(selection) for one in sample.targets]
        assert arrays["target_sample"].tolist() == [place for place, _ in targets]
        assert arrays["target"].tolist() == [target.index for _, target in targets]
        for name in ("gradient", "delta", "strengths", "predictions"):
            expected = np.stack([getattr(target, name) for _, target in targets])
            np.testing.assert_array_equal(arrays[name], expected)


def test_the_contact_sheet_shows_every_sample_at_the_chosen_strength(
    page: Page, tab: Frame, tmp_path: Path, selection: list[Sample]
) -> None:
    set_strength(tab, 0.5)
    file = download(page, tab, "Pictures", tmp_path)
    with Image.open(file) as image:
        assert image.format == "PNG"
        sheet = np.asarray(image.convert("RGB")).astype(int)
    low, high = -0.4242, 2.8215
    # Each image is enlarged four times, to 112 pixels; find it by its own pixels.
    found = 0
    for sample in selection:
        delta = sample.targets[0].delta
        assert delta is not None
        for values in (sample.image[0], sample.image[0] + 0.5 * delta[0]):
            levels = np.clip((values - low) / (high - low) * 255, 0, 255)
            large = levels.repeat(4, 0).repeat(4, 1)
            found += any(
                np.abs(sheet[top : top + 112, left : left + 112, 0] - large).max() <= 1
                for top, left in corners(sheet, large)
            )
    assert found == 2 * len(selection)


def corners(sheet: np.ndarray, large: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield where a picture may be on the sheet, by its corner blocks and its middle one."""
    height, width = large.shape
    first = np.abs(sheet[: 1 - height, : 1 - width, 0] - large[0, 0]) <= 1
    last = np.abs(sheet[height - 1 :, width - 1 :, 0] - large[-1, -1]) <= 1
    middle = height // 2
    between = sheet[middle : middle + first.shape[0], middle : middle + first.shape[1], 0]
    centre = np.abs(between - large[middle, middle]) <= 1
    yield from map(tuple, np.argwhere(first & last & centre).tolist())


def test_the_snippet_loads_the_same_samples_in_the_same_order(
    page: Page, tab: Frame, tmp_path: Path, logdir: Path, selection: list[Sample]
) -> None:
    tab.locator(".downloads summary").click()
    tab.locator('.downloads button[name="Python"]').click()
    expect(tab.locator(".downloads [role=status]")).to_contain_text("clipboard")
    snippet = page.evaluate("navigator.clipboard.readText()")
    code = snippet.replace('logdir = "runs"', f"logdir = {str(logdir)!r}")
    assert code != snippet
    code += "\nfor sample in samples:\n    print(ascii((sample.run, sample.id, sample.step)))\n"
    script = tmp_path / "loads.py"
    script.write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=300, check=True
    )
    expected = [ascii((sample.run, sample.id, sample.step)) for sample in selection]
    assert done.stdout.splitlines() == expected


def pasted(page: Page, tab: Frame) -> str:
    """Paste as a user does, which needs no permission, and return the text."""
    tab.evaluate("document.body.append(document.createElement('textarea'))")
    field = tab.locator("body > textarea")
    field.focus()
    page.keyboard.press("Control+V")
    text = field.input_value()
    field.evaluate("field => field.remove()")
    return text


def restrict_clipboard(page: Page, tab: Frame, clipboard: str) -> None:
    """Leave the page the clipboard, deny it, or remove it as in a page without https."""
    if clipboard == "denied":
        page.context.clear_permissions()
        page.context.grant_permissions(["geolocation"])  # This denies all others.
        state = "navigator.permissions.query({name: 'clipboard-write'}).then(({state}) => state)"
        assert tab.evaluate(state) == "denied"
    elif clipboard == "absent":
        tab.evaluate("delete Navigator.prototype.clipboard")
        assert tab.evaluate("navigator.clipboard === undefined")


@pytest.mark.parametrize("clipboard", ["granted", "denied", "absent"])
def test_a_link_and_code_are_copied_with_and_without_permission(
    page: Page, tab: Frame, served: str, clipboard: str
) -> None:
    restrict_clipboard(page, tab, clipboard)
    tab.locator(".sample h2").nth(1).click()
    detail = tab.get_by_role("dialog")
    button = detail.get_by_role("button", name="Copy link")
    button.click()
    expect(detail.get_by_text("copied", exact=True)).to_be_visible()
    expect(button).to_be_focused()
    assert tab.locator("textarea").count() == 0
    page.keyboard.press("Escape")
    text = pasted(page, tab)
    assert text.startswith(served)
    assert "p.gradascent.selected=base" in text

    tab.locator(".downloads summary").click()
    button = tab.locator('.downloads button[name="Python"]')
    button.click()
    expect(tab.locator(".downloads [role=status]")).to_have_text(
        "The code was copied to the clipboard."
    )
    expect(button).to_be_focused()
    assert tab.locator("textarea").count() == 0
    text = pasted(page, tab)
    assert text.startswith("from tb_gradascent import read_samples")
    compile(text, "pasted", "exec")


def test_the_page_says_that_it_cannot_copy(page: Page, tab: Frame) -> None:
    tab.evaluate("delete Navigator.prototype.clipboard; document.execCommand = () => false")
    tab.locator(".downloads summary").click()
    tab.locator('.downloads button[name="Python"]').click()
    status = tab.locator(".downloads [role=status]")
    expect(status).to_have_text("The browser does not allow copying. Copy the code from here:")
    expect(tab.get_by_label("Text to copy")).to_have_value(re.compile("read_samples"))
    page.keyboard.press("Escape")
    tab.locator(".sample h2").first.click()
    detail = tab.get_by_role("dialog")
    detail.get_by_role("button", name="Copy link").click()
    expect(detail.locator(".actions")).to_contain_text("does not allow copying")


def test_a_frame_without_downloads_storage_and_clipboard_offers_text(
    page: Page, served: str, selection: list[Sample]
) -> None:
    page.add_init_script(
        """
        if (location.pathname.includes("plugin_entry")) {
          for (const storage of ["localStorage", "sessionStorage"])
            Object.defineProperty(window, storage, {
              get() { throw new DOMException("blocked", "SecurityError"); },
            });
          delete Navigator.prototype.clipboard;
          document.execCommand = () => false;
        }
        """
    )
    page.goto(f"{served}data/logdir")  # any address of the same origin
    address = html.escape(served + hash_of(ALL_NEWEST_FIRST))
    page.set_content(
        f'<iframe sandbox="allow-scripts allow-same-origin" width="1350" height="850" '
        f'src="{address}"></iframe>'
    )
    around = page.wait_for_selector("iframe")
    shell = around.content_frame() if around else None
    assert shell
    element = shell.wait_for_selector('iframe[src*="gradascent"]')
    tab = element.content_frame() if element else None
    assert tab
    wait_for_samples(tab)
    tab.locator('input[name="run"][value="other"]').set_checked(False)
    expect(tab.locator(".count")).to_contain_text("6 of 6 samples")
    tab.locator(".sample").first.focus()
    page.keyboard.press("1")
    expect(tab.locator(".sample").first.locator(".review")).to_have_text("mislabelled")
    tab.locator(".downloads summary").click()
    tab.locator('.downloads button[name="Numbers"]').click()
    status = tab.locator(".downloads [role=status]")
    expect(status).to_have_text("The browser does not allow copying. Copy the numbers from here:")
    rows = list(csv.DictReader(io.StringIO(tab.locator(".downloads textarea").input_value())))
    assert len(rows) == sum(len(sample.targets) for sample in selection)
    tab.locator('.downloads button[name="Arrays"]').click()
    expect(status).to_contain_text("this frame may not save files")
    page.keyboard.press("Escape")
    tab.get_by_text("Label review").click()
    tab.locator(".review-tools").get_by_role("button", name="CSV").click()
    expect(tab.locator(".review-panel textarea")).to_have_value(re.compile("mislabelled"))
    page.close()  # What the script took away would be missing in other tests.


def test_the_help_explains_and_names_its_sources(page: Page, tab: Frame) -> None:
    tab.locator(".grid").focus()
    page.keyboard.press("?")
    opened = tab.get_by_role("dialog", name="What you see, and the keys")
    for words in ("DeepFool", "Simonyan", "Goodfellow", "Canziani", "Scheffer", "log₂", "Esc"):
        expect(opened).to_contain_text(words)
    assert opened.locator("a").count() == 9
    page.keyboard.press("Escape")
    expect(opened).to_be_hidden()


def test_labels_are_reviewed_by_key_and_the_review_is_kept_and_taken_away(
    page: Page, tab: Frame, tmp_path: Path, selection: list[Sample]
) -> None:
    ids = [sample.id for sample in selection]
    other = next(place for place, name in enumerate(ids) if name != ids[0])
    card = tab.locator(".sample").first
    name = card.get_attribute("data-sample")
    card.focus()
    page.keyboard.press("1")
    expect(card.locator(".review")).to_have_text("mislabelled")
    page.keyboard.press("2")
    expect(card.locator(".review")).to_have_text("ambiguous")
    tab.locator(".sample").nth(other).locator("h2").click()
    detail = tab.get_by_role("dialog")
    page.keyboard.press("3")
    expect(detail.get_by_role("button", name="3 the model's fault")).to_have_attribute(
        "aria-pressed", "true"
    )
    page.keyboard.press("Escape")
    expect(detail).to_be_hidden()
    # The address follows the choices a moment later.
    page.wait_for_url(lambda url: "runs=-other" in url and "selected=" not in url)
    page.reload()
    tab.locator(".sample[data-painted]").first.wait_for()
    expect(tab.locator(f'.sample[data-sample="{name}"] .review')).to_have_text("ambiguous")
    tab.get_by_text("Label review").click()
    tab.locator("#review").select_option("ambiguous")
    expect(tab.locator(".count")).to_contain_text(f"{ids.count(ids[0])} of")
    expect(tab.locator(".active-filters")).to_contain_text("reviewed: ambiguous")
    with page.expect_download() as saved:
        tab.locator(".review-tools").get_by_role("button", name="CSV").click()
    file = tmp_path / "review.csv"
    saved.value.save_as(file)
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines))
    assert rows[0] == ["id", "review"]
    assert sorted(review for _, review in rows[1:]) == ["ambiguous", "model"]
    page.wait_for_url("**review=ambiguous*")
    page.evaluate("localStorage.clear()")
    page.reload()
    expect(tab.locator(".message .note")).to_contain_text("No sample passes all filters")
    tab.get_by_text("Label review").click()
    tab.locator(".review-tools input").set_input_files(file)
    expect(tab.locator(".review-panel")).to_contain_text("2 reviews imported")
    expect(tab.locator(f'.sample[data-sample="{name}"] .review')).to_have_text("ambiguous")
    page.evaluate("localStorage.clear()")
