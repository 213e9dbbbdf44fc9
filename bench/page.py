"""How fast the tab is: the real TensorBoard, a real Chromium, made-up runs of many samples.

Each case is opened twice: the first time the plugin has not parsed the run's records yet, the
second time it has; TensorBoard itself has loaded the run before. Times count from the moment at
which the tab is clicked (the page's own time origin). Dragging and scrolling are real input events.
Frames are counted in the page: 60 a second is what the screen shows at the most.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from playwright.sync_api import Browser, Frame, Page, ViewportSize, sync_playwright
from tqdm.auto import tqdm

from bench import report
from bench.many_samples import SAMPLES_A_CAPTURE, write_run
from tb_gradascent.format.event_file import file_name
from testing.browser import ARGUMENTS, reload_data
from testing.chromium import CHROMIUM
from testing.tensorboard_process import tensorboard

INSTRUMENT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
VIEWPORT: ViewportSize = {"width": 1400, "height": 900}
PATIENCE = 300
NEW_SAMPLES = 100
NEW_SEED = 1000
MANY = 100_000
"""With more samples than this, a filter may take twice as long."""
MOST_SCROLLED = 10_000
"""Samples that are scrolled through from end to end: more would take minutes."""
SCREENS_AT_ONCE = 20
"""Of so many screens one is painted. All of them would take ten minutes."""

FIRST_ROWS = "first rows, ms"
REQUESTS = "requests until the first rows"
SCRIPT = "script of a strength's change, median, ms"
INPUT = "from the slider's input to the screen, p95, ms"
ANSWER = "the slowest filter or order, ms"
MEMORY = "memory, scrolled from end to end, MB"
RELOAD = "longest task while a reload adds 100 samples, ms"

Found = Iterator[tuple[str, float]]
"""A quantity with its unit, and its value."""


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
    Case(300_000, (1, 28, 28), 1500, 4),
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


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """The browser that the tests use."""
    executable = CHROMIUM.find()
    if executable is None:
        raise SystemExit(f"Chromium is missing; {CHROMIUM.remedy}.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        browser.close()


def wait_until_loaded(address: str, captures: int) -> None:
    """Waits until TensorBoard has read the run."""
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


def delay(page: Page, latency: float) -> None:
    """Make each answer wait so many milliseconds, as a distant server's would."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    unlimited = {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", {**unlimited, "latency": latency})


def open_tab(browser: Browser, address: str, latency: float = 0) -> tuple[Page, Frame]:
    """TensorBoard on another tab, then ours; returns once the first rows are painted."""
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(PATIENCE * 1000)
    page.add_init_script(INSTRUMENT)
    page.goto(f"{address}#timeseries")
    tab = page.get_by_role("tab", name="Gradient Ascent")
    tab.wait_for()
    page.wait_for_timeout(2000)
    if latency:
        delay(page, latency)
    tab.click()
    element = required(page.wait_for_selector('iframe[src*="gradascent"]'), "tab")
    frame = required(element.content_frame(), "frame")
    frame.wait_for_function("window.bench?.firstRows")
    frame.locator("#tab-samples").click()
    frame.locator("#captures").select_option("all")
    frame.locator(".grid .sample[data-painted]").first.wait_for()
    return page, frame


def measure_drag(page: Page, frame: Frame) -> Found:
    """Drags the strength slider to and fro with the mouse."""
    box = required(frame.locator("#strength").bounding_box(), "slider")
    before = frame.locator(".grid [data-painted]").first.get_attribute("data-painted")
    x, y = box["x"], box["y"] + box["height"] / 2
    page.mouse.move(x + box["width"] * 0.5, y)
    page.mouse.down()
    frame.evaluate("bench.watch()")
    for step in range(240):
        share = 0.5 + 0.45 * (1 if step // 60 % 2 else -1) * ((step % 60) / 60)
        page.mouse.move(x + box["width"] * share, y)
    seen = frame.evaluate("bench.stop()")
    page.mouse.up()
    if frame.locator(".grid [data-painted]").first.get_attribute("data-painted") == before:
        raise RuntimeError("dragging the slider changed nothing")
    yield SCRIPT, statistics.median(seen["scripts"])
    yield "script of a strength's change, p95, ms", percentile(seen["scripts"], 95)
    yield INPUT, percentile(seen["latencies"], 95)
    yield from frames("dragging", seen["intervals"])


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


def frames(what: str, intervals: list[float]) -> Found:
    """Frames a second, and the time between them."""
    yield f"frames a second while {what}", 1000 * len(intervals) / sum(intervals)
    yield f"time between frames while {what}, p95, ms", percentile(intervals, 95)


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

    frame.evaluate(
        "for (const rare of document.querySelectorAll('aside details')) rare.open = true"
    )
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
    file = run / file_name(write_run(run, NEW_SAMPLES, seed=NEW_SEED))
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


def measure(case: Case, browser: Browser, folder: Path) -> Found:
    """Every figure of a case."""
    logdir = folder / str(case.samples) / str(case.shape[-1])
    if not (logdir / "run").exists():
        write_run(logdir / "run", case.samples, shape=case.shape)
    with tensorboard(logdir, "--reload_interval", "5") as address:
        wait_until_loaded(address, _captures(case.samples))
        page, frame = open_tab(browser, address)
        yield FIRST_ROWS, frame.evaluate("bench.firstRows")
        yield REQUESTS, frame.evaluate("bench.requests()")
        page.close()
        page, frame = open_tab(browser, address)
        yield "first rows, opened again, ms", frame.evaluate("bench.firstRows")
        wait_until_listed(frame, case.samples)
        yield "all samples listed, ms", frame.evaluate("performance.now()")
        yield from measure_drag(page, frame)
        yield from frames("scrolling", measure_scroll(page, frame))
        answers = measure_choices(page, frame)
        for name, answer in answers.items():
            yield f"{name}, ms", answer.wall
        yield ANSWER, max(answer.wall for answer in answers.values())
        yield "the same, the page's own time, ms", max(answer.work for answer in answers.values())
        yield "memory, MB", heap(page)
        if case.samples <= MOST_SCROLLED:
            frame.evaluate(f"bench.scrollThrough({SCREENS_AT_ONCE})")
            yield MEMORY, heap(page)
        yield RELOAD, measure_reload(page, frame, address, logdir / "run", case.samples)
        page.close()


def figures(case: Case, found: dict[str, float]) -> Iterator[report.Figure]:
    """What has a goal."""
    goals = {
        FIRST_ROWS: case.first_rows,
        REQUESTS: 6,
        SCRIPT: case.script,
        INPUT: 40,
        ANSWER: 200 if case.samples > MANY else 100,
        MEMORY: 300,
        RELOAD: 100,
    }
    for name, goal in goals.items():
        if name in found:
            yield report.Figure(f"{case}: {name}", f"{found[name]:,.1f}", f"at most {goal:,g}")
    for what in ("dragging", "scrolling"):
        name = f"frames a second while {what}"
        yield report.Figure(f"{case}: {name}", f"{found[name]:.0f}", "60")


def section(found: dict[Case, dict[str, float]]) -> report.Section:
    """What was found, a column a case."""
    names = list(dict.fromkeys(name for each in found.values() for name in each))
    rows = [
        (name, *(f"{each[name]:,.1f}" if name in each else "" for each in found.values()))
        for name in names
    ]
    return report.Section(
        "The tab",
        [figure for case, each in found.items() for figure in figures(case, each)],
        ("", *map(str, found)),
        rows,
    )


def run(cases: Sequence[Case] = CASES, folder: Path | None = None) -> report.Section:
    """Measures the tab in each case; with a folder the runs stay there for the next time."""
    found: dict[Case, dict[str, float]] = {}
    with contextlib.ExitStack() as stack:
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        browser = stack.enter_context(chromium())
        for case in tqdm(cases, desc="the tab", leave=False, disable=None):
            found[case] = dict(measure(case, browser, folder))
    return section(found)


def main() -> None:
    """Measure what was asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument("--only", type=int, nargs="*", help="cases of so many samples")
    parser.add_argument("--folder", type=Path, help="keeps the runs there, for the next time")
    options = parser.parse_args()
    cases = [case for case in CASES if not options.only or case.samples in options.only]
    report.show(run(cases, options.folder))


if __name__ == "__main__":
    main()
