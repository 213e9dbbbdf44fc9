"""Notices of the hook and the reasons for an empty page, in a real Chromium."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest
import torch
from playwright.sync_api import Page, expect
from torch import Tensor, nn

from tb_gradascent import GradAscentHook
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


def test_what_a_real_hook_found_is_seen(serve_here: Serve, page: Page, tmp_path: Path) -> None:
    """Two runs: one whose captures fail, and one in which nothing is confused."""

    def sure(model: nn.Module, x: Tensor) -> Tensor:
        return x.flatten(1)[:, :3] + torch.tensor([9.0, 0, 0])

    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    with GradAscentHook(nn.Identity(), tmp_path / "sure", every=1, forward=sure) as hook:
        hook(images, sure(nn.Identity(), images))
    with GradAscentHook(nn.Identity(), tmp_path / "wrong", every=1, forward=sure) as hook:
        hook(images.mul(255).byte(), sure(nn.Identity(), images))
    tab = open_page(page, serve_here(tmp_path).address)
    why = tab.locator(".message .note")
    expect(why).to_contain_text("sure: nothing was confused: smallest margin 1.00, 1 step seen.")
    expect(why).to_contain_text("wrong: no samples: every capture failed so far. See the notice")
    notices = tab.get_by_role("region", name="Notices")
    expect(notices.locator("summary")).to_have_text("2 notices: 1 error, 1 warning")
    notices.locator("summary").click()
    expect(notices.get_by_role("listitem").last).to_contain_text("criterion=ProbabilityMargin(1)")
