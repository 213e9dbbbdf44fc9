"""How fast the tab is with 300 small runs: when they are listed, and after the button "All".

The page's own work is counted in the time of its thread, which other programs on the machine do
not change much. Requests and elements are counted as they are.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, CDPSession

from bench import report
from bench.many_samples import write_run
from bench.page import INSTRUMENT, PATIENCE, VIEWPORT, Found, chromium
from testing.board import Board

RUNS = 300
SAMPLES = 40
"""Samples of each run: ten captures."""
LISTED = "runs listed, ms"
WORK = "the page's own work after “All”, ms"
LONGEST = "the longest task after “All”, ms"
SHOWN_ALL = (
    "document.querySelector('button.reload').ariaBusy === 'false' && "
    f"document.querySelector('p.count').textContent.includes('{RUNS * SAMPLES:,} samples')"
)


def write_runs(logdir: Path, runs: int = RUNS, samples: int = SAMPLES) -> None:
    """Write small runs whose names share their start, as those of a search do."""
    for number in range(runs):
        write_run(logdir / f"search-{number:03d}", samples, seed=number)


def measure(browser: Browser, address: str) -> Found:
    """Every figure."""
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(PATIENCE * 1000)
    page.add_init_script(INSTRUMENT)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(
        f"{address}data/plugin_entry.html?name=gradascent#gradascent&p.gradascent.view=samples"
    )
    page.wait_for_function(f"document.querySelectorAll('.runs input').length === {RUNS}")
    yield LISTED, page.evaluate("performance.now()")
    page.locator('button.reload[aria-busy="false"]').wait_for(state="attached")
    yield "elements of the page", page.evaluate("document.querySelectorAll('*').length")
    before = work(session)
    first = len(asked)
    page.evaluate(
        """() => {
            window.longest = 0;
            new PerformanceObserver((list) => {
                for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
            }).observe({ type: "longtask" });
        }"""
    )
    page.get_by_role("button", name="All", exact=True).click()
    page.wait_for_function(SHOWN_ALL)
    yield WORK, work(session) - before
    yield LONGEST, page.evaluate("longest")
    yield "requests after “All”", len(asked) - first
    page.close()


def work(session: CDPSession) -> float:
    """Milliseconds that the page's thread worked."""
    metrics: dict[str, Any] = session.send("Performance.getMetrics")
    return 1000 * next(
        float(metric["value"]) for metric in metrics["metrics"] if metric["name"] == "TaskDuration"
    )


def figures(found: dict[str, float]) -> Iterator[report.Figure]:
    """What has a goal."""
    yield report.Figure(f"{RUNS} runs: {LISTED}", f"{found[LISTED]:,.0f}", "at most 1,000")


def run() -> report.Section:
    """Measure the tab with the runs."""
    with contextlib.ExitStack() as stack:
        logdir = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_runs(logdir)
        board = stack.enter_context(Board(logdir))
        found = dict(measure(stack.enter_context(chromium()), board.address))
    rows = [(name, f"{value:,.0f}") for name, value in found.items()]
    return report.Section("The tab with many runs", [*figures(found)], ("", f"{RUNS} runs"), rows)


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(prog="python -m bench.many_runs", description=__doc__).parse_args()
    report.show(run())


if __name__ == "__main__":
    main()
