"""Notices of the hook and the reasons for an empty page, in a real Chromium."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, cast

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import Tensor, nn
from torch.nn import functional

from tb_gradascent import GradAscentHook, ProbabilityMargin
from tb_gradascent.format.event_file import EventFile, file_name
from tb_gradascent.format.status import Notice, Status
from testing.board import Board
from testing.browser import open_page, press_reload, set_theme, wait_for_samples
from testing.synthetic import DIGITS, make_captures, make_status_event, write_session

pytestmark = pytest.mark.browser

Serve = Callable[..., Board]

SOFTMAX = Notice(
    "softmax-output",
    "warning",
    "The model ends in Softmax: the logarithm of its output is used as logits.",
    "Return the logits.",
    0,
)
FAULT = Notice(
    "capture-failed-ValueError",
    "error",
    "A capture failed: ValueError: inputs must be a floating tensor, got torch.uint8.",
    "Give inputs.float().",
    300,
    12,
)
HINT = Notice("captures-succeed-again", "info", "A capture succeeded again.")
HOSTILE = Notice("markup", "info", "<img src=x onerror=alert(1)> " + "wide" * 200)


def test_one_notice_is_shown_in_full_until_it_is_dismissed(
    serve_here: Serve, page: Page, tmp_path: Path
) -> None:
    write_session(tmp_path, make_captures(2), statuses=[Status(notices=(SOFTMAX,))])
    tab = open_page(page, serve_here(tmp_path).address)
    wait_for_samples(tab)
    notices = tab.get_by_role("region", name="Notices")
    expect(notices).to_be_visible()
    item = notices.get_by_role("listitem")
    expect(item).to_have_text(f"warning {SOFTMAX.message} {SOFTMAX.remedy} (step 0)×")
    expect(tab.get_by_role("status").filter(has_text=SOFTMAX.message)).to_have_count(1)
    expect(notices.locator("summary")).to_be_hidden()
    item.get_by_role("button").click()
    expect(notices).to_be_hidden()
    press_reload(tab)
    expect(tab.locator('button.reload[aria-busy="false"]')).to_be_attached()
    expect(notices).to_be_hidden()


def test_several_notices_fold_out_of_a_line_and_name_their_runs(
    serve_here: Serve, page: Page, tmp_path: Path
) -> None:
    status = Status(notices=(HINT, SOFTMAX, HOSTILE, FAULT))
    write_session(tmp_path / "first", make_captures(2), statuses=[status])
    write_session(tmp_path / "second", make_captures(2), statuses=[Status(notices=(SOFTMAX,))])
    tab = open_page(page, serve_here(tmp_path).address)
    wait_for_samples(tab)
    notices = tab.get_by_role("region", name="Notices")
    summary = notices.locator("summary")
    expect(summary).to_have_text("5 notices: 1 error, 2 warnings, 2 hints")
    expect(notices.get_by_text(FAULT.message)).to_be_hidden()
    summary.focus()
    page.keyboard.press("Enter")
    expect(notices.get_by_text(FAULT.message)).to_be_visible()
    expect(notices.get_by_text("first at step 300, 12 times")).to_be_visible()
    items = notices.get_by_role("listitem")
    expect(items).to_have_count(5)
    expect(items.first).to_contain_text("error first: A capture failed")
    expect(notices.locator("img")).to_have_count(0)
    colours: dict[str, set[str]] = {}
    themes: list[Literal["light", "dark"]] = ["light", "dark"]
    for theme in themes:
        set_theme(tab, theme)
        colours[theme] = {
            notices.locator(f".notice.{severity}").first.evaluate(
                "item => getComputedStyle(item).backgroundColor"
            )
            for severity in ("error", "warning", "info")
        }
    assert len(colours["light"]) == len(colours["dark"]) == 3
    assert not colours["light"] & colours["dark"]
    items.first.get_by_role("button").click()
    expect(summary).to_have_text("4 notices: 2 warnings, 2 hints")
    expect(items.first.get_by_role("button")).to_be_focused()
    tab.locator('input[value="first"]').set_checked(False)
    expect(items).to_have_count(1)
    expect(notices).not_to_contain_text("second")


def test_a_run_without_samples_says_what_its_hook_does(
    serve_here: Serve, page: Page, tmp_path: Path
) -> None:
    file = EventFile(tmp_path / "run" / file_name("s"))
    steps = Status(steps=1200, overhead=0.4, elapsed=50.0)
    file.append(make_status_event("confused", "s", 0, Status(), DIGITS, 1e9))
    board = serve_here(tmp_path)
    tab = open_page(page, board.address)
    why = tab.locator(".message .note")
    expect(why).to_contain_text("The hook is running: no capture yet, 0 steps seen.")
    expect(tab.locator(".count")).to_have_text("0 of 0 samples")
    for number, (status, words) in enumerate(
        [
            (steps, "no capture yet, 1,200 steps seen"),
            (
                dataclasses.replace(steps, least_margin=0.62),
                "Nothing was confused so far: smallest margin 0.62",
            ),
            (
                dataclasses.replace(steps, failed=12, notices=(FAULT,)),
                "No samples: every capture failed so far. See the notice above.",
            ),
        ],
        1,
    ):
        file.append(make_status_event("confused", "s", number, status, DIGITS, 1e9 + number))
        board.read()
        press_reload(tab)
        expect(why).to_contain_text(words)
    file.close()
    tab.locator(".trust summary").click()
    expect(tab.locator(".trust")).to_contain_text("0.4 s, 0.8 % of the training")


def test_a_newer_session_without_captures_is_told_beside_the_old_samples(
    serve_here: Serve, page: Page, tmp_path: Path
) -> None:
    write_session(tmp_path, make_captures(2), start=1e9)
    write_session(tmp_path, [], start=1.1e9, statuses=[Status(steps=5)])
    tab = open_page(page, serve_here(tmp_path).address)
    wait_for_samples(tab)
    expect(tab.locator(".count")).to_have_text("8 of 8 samples")
    notice = tab.get_by_role("region", name="Notices").get_by_role("listitem")
    expect(notice).to_contain_text("has captured nothing so far")


class AlwaysDropout(nn.Module):
    """A classifier that forgets ``training=self.training``."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(144, 10)

    def forward(self, x: Tensor) -> Tensor:
        return cast("Tensor", self.layer(functional.dropout(x.flatten(1), 0.3)))


class LessItsMean(nn.Module):
    """Takes the mean of the batch from each row."""

    def forward(self, x: Tensor) -> Tensor:
        return x - x.mean(0)


def classifier(*more: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(144, 10), *more)


def soft_labels(count: int) -> Tensor:
    """Return labels as mixup makes them, shape (count, 10)."""
    one_hot = functional.one_hot(torch.arange(count) % 10, 10)
    return 0.7 * one_hot + 0.3 * one_hot.flip(0)


@dataclasses.dataclass(frozen=True)
class Situation:
    """A training that the hook has something to say about, and what it says.

    Attributes:
        model: Makes the model.
        seen: What the loop gives to the model, made from the inputs that the hook is given.
        labels: Makes the labels.
        margin: Of the criterion.
        cut: How many rows of the logits the hook is given.
        severity: That of the notice, as the page names it.
        message, remedy: Words of the notice.
    """

    severity: str
    message: str
    remedy: str
    model: Callable[[], nn.Module] = classifier
    seen: Callable[[Tensor], Tensor] = torch.clone
    labels: Callable[[int], Tensor | None] = lambda count: None
    margin: float = 1.0
    cut: int | None = None


SITUATIONS = {
    "softmax": Situation(
        "warning",
        "The model ends in a softmax: it returns probabilities.",
        "remove the softmax from the model.",
        model=lambda: classifier(nn.Softmax(1)),
    ),
    "soft-labels": Situation(
        "hint",
        "The labels are rows of probabilities, as mixup, CutMix and label smoothing make them.",
        "give labels.argmax(1).",
        labels=soft_labels,
    ),
    "other-tensor": Situation(
        "error",
        "The model does not answer as the loop's logits say, for the inputs that the hook was",
        "Give the hook the very inputs of the model, after normalisation and augmentation",
        seen=lambda images: (images - 0.13) / 0.03,
    ),
    "nothing-confused": Situation(
        "warning",
        "Nothing was confused: the criterion selected no sample of 2 batches.",
        "selects the sample with this margin.",
        margin=1e-7,
    ),
    "captures-fail": Situation(
        "error",
        "A capture failed: ValueError: logits must be",
        "give hook(x, logits, …)",
        cut=3,
    ),
    "rows-mix": Situation(
        "warning",
        "the model's answer for an image depends on the other images of the batch",
        "Use layers that treat each row by itself if this is not intended.",
        model=lambda: classifier(LessItsMean()),
    ),
    "one-row-fails": Situation(
        "error",
        "The model cannot be asked about one image alone: ValueError: Expected more than 1 value",
        "Use layers that treat each row by itself in eval mode.",
        model=lambda: classifier(nn.BatchNorm1d(10, track_running_stats=False)),
    ),
    "always-dropout": Situation(
        "warning",
        "The model answers at random in eval mode, or each pass changes it: two passes",
        "Use nn.Dropout or F.dropout(x, training=self.training)",
        model=AlwaysDropout,
    ),
}


@pytest.fixture(scope="module")
def situations(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a board with a run of the real hook for each situation."""
    logdir = tmp_path_factory.mktemp("situations")
    images = torch.rand(16, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    for run, situation in SITUATIONS.items():
        torch.manual_seed(0)
        model = situation.model()
        criterion = ProbabilityMargin(situation.margin)
        with GradAscentHook(model, logdir / run, every=1, criterion=criterion) as hook:
            for _ in range(2):
                logits = model(situation.seen(images))[: situation.cut]
                hook(images, logits, situation.labels(len(images)))
    with Board(logdir) as board:
        yield board.address


DAILY = {"softmax", "soft-labels", "captures-fail"}
"""The situations of the daily test run: a warning, a hint and an error."""


@pytest.mark.parametrize(
    "run",
    [pytest.param(run, marks=[] if run in DAILY else pytest.mark.slow) for run in SITUATIONS],
)
def test_what_a_real_hook_says_of_a_situation_is_on_the_screen(
    situations: str, page: Page, run: str
) -> None:
    situation = SITUATIONS[run]
    tab = open_page(page, situations, runs=f"none,+{run}")
    notices = tab.get_by_role("region", name="Notices")
    expect(notices).to_be_visible()
    summary = notices.locator("summary")
    if summary.is_visible():
        summary.click()
    item = notices.get_by_role("listitem").filter(has_text=situation.message)
    expect(item).to_have_count(1)
    expect(item).to_be_in_viewport()
    expect(item.locator("b")).to_have_text(situation.severity)
    expect(item).to_contain_text(situation.remedy)
    assert item.evaluate("item => item.scrollWidth <= item.clientWidth")


def test_random_answers_are_told_beside_each_morph(situations: str, page: Page) -> None:
    """The card and the large view show how far the answers lie apart, around the mean."""
    tab = open_page(page, situations, runs="none,+always-dropout", strength="1")
    wait_for_samples(tab)
    card = tab.locator("article.sample").first
    words = card.locator(".words").first
    spread = words.locator(".spread")
    found = re.match(r"(?:again: )?<?(\d+)(?: %)? to >?(\d+) %", spread.inner_text())
    assert found, spread.inner_text()
    low, high = map(int, found.groups())
    mean = re.search(r"(\d+) %", words.locator(".verdict").inner_text())
    assert mean
    assert low < int(mean[1]) < high
    assert "answers at random" in (spread.get_attribute("title") or "")
    card.focus()
    page.keyboard.press("Enter")
    large = tab.locator("dialog[open] .spread").first
    expect(large).to_be_visible()
    expect(large).to_contain_text(" % when asked again")


def test_what_a_real_hook_found_is_seen(serve_here: Serve, page: Page, tmp_path: Path) -> None:
    """Two runs: one whose captures fail, and one in which nothing is confused."""

    def sure(model: nn.Module, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3] + torch.tensor([9.0, 0, 0])

    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with GradAscentHook(nn.Identity(), tmp_path / "sure", every=1, forward=sure) as hook:
        hook(images, sure(nn.Identity(), images))
    with GradAscentHook(nn.Identity(), tmp_path / "wrong", every=1, forward=sure) as hook:
        hook(images.mul(255).long(), sure(nn.Identity(), images))
    tab = open_page(page, serve_here(tmp_path).address)
    why = tab.locator(".message .note")
    expect(why).to_contain_text("sure: nothing was confused: smallest margin 1.00, 1 step seen.")
    expect(why).to_contain_text("wrong: no samples: every capture failed so far. See the notice")
    notices = tab.get_by_role("region", name="Notices")
    expect(notices.locator("summary")).to_have_text("2 notices: 1 error, 1 warning")
    notices.locator("summary").click()
    expect(notices.get_by_role("listitem").last).to_contain_text("criterion=ProbabilityMargin(1)")
