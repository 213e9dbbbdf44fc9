"""How fast the tab is: the real TensorBoard, a real Chromium, made-up runs of many samples.

Each case is opened twice: the first time the plugin has not read the run's records yet, the second
time it has; TensorBoard itself has loaded the run before. Times count from the moment at which the
tab is clicked (the page's own time origin). Dragging and scrolling are real input events. Frames
are counted in the page: 60 a second is what the screen shows at the most.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from playwright.sync_api import Browser, Frame, Page, ViewportSize, sync_playwright

from bench.many_samples import SAMPLES_A_CAPTURE, write_run
from tb_gradascent.event_file import file_name
from tests.browser import ARGUMENTS, reload_data
from tests.chromium import REMEDY, find
from tests.tensorboard_process import tensorboard

INSTRUMENT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
VIEWPORT: ViewportSize = {"width": 1400, "height": 900}
PATIENCE = 300
NEW_SAMPLES = 100


Value = TypeVar("Value")


class Case(NamedTuple):
    """A run of so many samples of one shape, and the goals for it, in milliseconds."""

    samples: int
    shape: tuple[int, ...]
    first_rows: float
    script: float

    def __str__(self) -> str:
        return f"{self.samples:,} × {'×'.join(map(str, self.shape))}"


CASES = (
    Case(10_000, (1, 28, 28), 1000, 4),
    Case(2_000, (3, 64, 64), 1000, 8),
    Case(500, (3, 224, 224), 1000, 8),
    Case(100_000, (1, 28, 28), 3000, 4),
)
FILTERS = {
    "filter: prediction": ("#prediction", "3", ""),
    "filter: label": ("#label", "3", ""),
    "filter: right or wrong": ("#outcome", "wrong", ""),
    "filter: id": ("#search", "1234", ""),
    "filter: flip distance": ("#flip-to", "0.5", ""),
    "matrix: one cell": (".matrix tr:nth-child(3) td:nth-child(3)", None, None),
    "sort: margin": ("#sort", "margin", "newest"),
    "sort: flip distance": ("#sort", "flip", "newest"),
    "sort: gradient": ("#sort", "gradient", "newest"),
    "sort: oldest": ("#sort", "oldest", "newest"),
}


def report(name: str, value: float, unit: str, goal: float | None = None) -> None:
    """One line; a goal that is missed is marked."""
    above = goal is not None and value > goal
    asked = "" if goal is None else f"  goal {goal:g}{'  MISSED' if above else ''}"
    print(f"  {name:44} {value:10.1f} {unit:5}{asked}", flush=True)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that the tests use."""
    executable = find()
    if executable is None:
        raise SystemExit(f"Chromium is missing; {REMEDY}.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


def wait_until_loaded(address: str, captures: int) -> None:
    """Waits until TensorBoard has read the run, by what it tells of it without our plugin."""
    deadline = time.monotonic() + PATIENCE
    url = f"{address}data/plugin/gradascent/index?run=run&tag=confused"
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            with urllib.request.urlopen(url) as answer:  # noqa: S310  # our own TensorBoard
                sessions = json.load(answer)["sessions"]
            if sum(session["captures"] for session in sessions) == captures:
                return
        time.sleep(0.5)
    raise SystemExit("TensorBoard did not load the run in time.")


def required(value: Value | None, what: str) -> Value:
    """What Playwright may not find."""
    if value is None:
        raise RuntimeError(f"there is no {what} in the page")
    return value


def open_tab(browser: Browser, address: str) -> tuple[Page, Frame]:
    """TensorBoard on another tab, then ours; returns once the first rows are painted."""
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(PATIENCE * 1000)
    page.add_init_script(INSTRUMENT)
    page.goto(f"{address}#timeseries")
    tab = page.get_by_role("tab", name="Gradient Ascent")
    tab.wait_for()
    page.wait_for_timeout(2000)
    tab.click()
    element = required(page.wait_for_selector('iframe[src*="gradascent"]'), "tab")
    frame = required(element.content_frame(), "frame")
    frame.wait_for_function("window.bench?.firstRows")
    return page, frame


def measure_drag(page: Page, frame: Frame, script_goal: float) -> None:
    """Drags the strength slider to and fro with the mouse."""
    box = required(frame.locator("#strength").bounding_box(), "slider")
    before = frame.locator("[data-painted]").first.get_attribute("data-painted")
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x + box["width"] * 0.5, y)
    page.mouse.down()
    frame.evaluate("bench.watch()")
    for step in range(240):
        share = 0.5 + 0.45 * (1 if step // 60 % 2 else -1) * ((step % 60) / 60)
        page.mouse.move(x + box["width"] * share, y)
    seen = frame.evaluate("bench.stop()")
    page.mouse.up()
    if frame.locator("[data-painted]").first.get_attribute("data-painted") == before:
        raise RuntimeError("dragging the slider changed nothing")
    report(
        "strength: script a change, median", statistics.median(seen["scripts"]), "ms", script_goal
    )
    report("strength: script a change, p95", percentile(seen["scripts"], 95), "ms")
    report("strength: input to paint, p95", percentile(seen["latencies"], 95), "ms", 40)
    report_frames("dragging", seen["intervals"])


def measure_scroll(page: Page, frame: Frame) -> list[float]:
    """Milliseconds between frames while a mouse's wheel scrolls two thousand pixels a second."""
    session = page.context.new_cdp_session(page)
    box = required(frame.locator(".grid").bounding_box(), "grid")
    frame.evaluate("bench.watch()")
    session.send(
        "Input.synthesizeScrollGesture",
        {
            "x": box["x"] + box["width"] / 2,
            "y": box["y"] + box["height"] / 2,
            "yDistance": -8000,
            "speed": 2000,
            "gestureSourceType": "mouse",
            "preventFling": True,
        },
    )
    intervals: list[float] = frame.evaluate("bench.stop()")["intervals"]
    frame.evaluate("document.querySelector('.grid').scrollTop = 0")
    return intervals


def report_frames(what: str, intervals: list[float]) -> None:
    """Frames a second, and how many came late."""
    late = sum(interval > 1.5 * 1000 / 60 for interval in intervals)
    report(f"{what}: frames a second", 1000 * len(intervals) / sum(intervals), "")
    report(f"{what}: frames that came late", 100 * late / len(intervals), "%")
    report(f"{what}: time between frames, p95", percentile(intervals, 95), "ms")


def percentile(values: list[float], share: int) -> float:
    """The value below which so many percent are."""
    return statistics.quantiles(values, n=100, method="inclusive")[share - 1]


class Answer(NamedTuple):
    """What a choice took, in milliseconds: medians of three.

    Attributes:
        wall: Until its answer was on the screen.
        work: Of the page's main thread, in its own time: what other processes take does not count.
    """

    wall: float
    work: float


def measure_choices(page: Page, frame: Frame) -> dict[str, Answer]:
    """Filters and orders, each chosen three times."""
    found: dict[str, Answer] = {}
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def work() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return float(next(m["value"] for m in metrics if m["name"] == "TaskDuration")) * 1e3

    frame.evaluate("for (const rare of document.querySelectorAll('details')) rare.open = true")
    for name, (selector, value, back) in FILTERS.items():
        taken = []
        for _ in range(3):
            for choice in (value, back):
                before = work()
                took = frame.evaluate("([s, v]) => bench.choose(s, v)", [selector, choice])
                worked = work() - before
                frame.wait_for_timeout(300)
                if choice == value:
                    taken.append((took, worked))
        found[name] = Answer(*map(statistics.median, zip(*taken, strict=True)))
    return found


def measure_reload(page: Page, frame: Frame, address: str, run: Path, samples: int) -> float:
    """The longest task, in milliseconds, while a reload brings in a hundred samples more."""
    file = run / file_name(write_run(run, NEW_SAMPLES, seed=1))
    try:
        wait_until_loaded(address, _captures(samples) + _captures(NEW_SAMPLES))
        start = frame.evaluate("performance.now()")
        reload_data(page)
        wait_until_listed(frame, samples + NEW_SAMPLES)
        frame.wait_for_timeout(1000)
    finally:
        file.unlink()
    tasks: list[tuple[float, float]] = frame.evaluate("bench.longTasks")
    return max((duration for began, duration in tasks if began > start), default=0.0)


def wait_until_listed(frame: Frame, samples: int) -> None:
    """Waits until the page counts so many."""
    words = f"document.querySelector('p.count').textContent.includes('{samples:,}')"
    frame.wait_for_function(words)


def _captures(samples: int) -> int:
    return -(-samples // SAMPLES_A_CAPTURE)


def heap(page: Page) -> float:
    """MB of JavaScript's heap and its buffers, TensorBoard's own page included."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    usage: dict[str, Any] = session.send("Runtime.getHeapUsage")
    return float(usage["usedSize"] + usage.get("backingStorageSize", 0)) / 1e6


def measure(case: Case, browser: Browser, folder: Path) -> None:
    """Every figure of a case."""
    print(f"\n{case}", flush=True)
    logdir = folder / str(case.samples) / str(case.shape[-1])
    if not (logdir / "run").exists():
        write_run(logdir / "run", case.samples, shape=case.shape)
    with tensorboard(logdir, "--reload_interval", "5") as address:
        wait_until_loaded(address, _captures(case.samples))
        for which in ("first", "second"):
            page, frame = open_tab(browser, address)
            rows = frame.evaluate("bench.firstRows")
            report(f"first rows, {which} opening", rows, "ms", case.first_rows)
            if which == "first":
                page.close()
        frame.wait_for_function(
            "document.querySelector('p.count')?.textContent.match(/[0-9,]{3,}/)"
        )
        wait_until_listed(frame, case.samples)
        report("all samples listed", frame.evaluate("performance.now()"), "ms")
        tasks = frame.evaluate("bench.longTasks")
        report("longest task while it opens", max((t for _, t in tasks), default=0), "ms")
        measure_drag(page, frame, case.script)
        report_frames("scrolling", measure_scroll(page, frame))
        for name, answer in measure_choices(page, frame).items():
            report(name, answer.wall, "ms", 100)
            report(f"{name}, main thread's own time", answer.work, "ms", 100)
        report("JavaScript heap and buffers", heap(page), "MB", 300)
        if case.samples <= 10_000:
            frame.evaluate("bench.scrollThrough(1)")
            report("the same, scrolled from end to end", heap(page), "MB", 300)
        took = measure_reload(page, frame, address, logdir / "run", case.samples)
        report("longest task while a reload adds 100", took, "ms", 100)
        page.close()


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--most", type=int, default=100_000, help="samples (%(default)s)")
    parser.add_argument("--only", type=int, nargs="*", help="cases of so many samples")
    parser.add_argument("--folder", type=Path, help="keeps the runs there, for the next time")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(chromium())
        for case in CASES:
            if case.samples <= options.most and (not options.only or case.samples in options.only):
                measure(case, browser, folder)


if __name__ == "__main__":
    main()
