"""TensorBoard's own Images tab with the pictures that ours shows: ``python -m bench.images_tab``.

The same samples are written twice: by our format, and as five images each (the original, and a
gradient and a morph for each of two targets), a tag an image, as ``SummaryWriter.add_image`` would.
Both tabs are opened by turns, each in a page of its own.
"""

from __future__ import annotations

import json
import struct
import tempfile
import time
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Browser, Page
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tqdm.auto import trange

from bench import report
from bench.many_samples import SAMPLES_A_CAPTURE, STARTED, STEPS_A_CAPTURE, write_run
from bench.measure import ratio, spread
from bench.page import (
    VIEWPORT,
    chromium,
    delay,
    measure_scroll,
    open_tab,
    percentile,
    wait_until_loaded,
)
from tb_gradascent.format.samples import Array
from testing.synthetic import make_sample
from testing.tensorboard_process import tensorboard

DISTINCT = 48
LATENCIES = (0, 80)
"""Milliseconds until an answer begins: on this machine, and through a tunnel to another."""
SCROLLED = 5
"""How many turns are scrolled through, right after their first rows."""
FRAMES = """async () => {
  const intervals = [];
  let last = performance.now();
  const end = last + 4500;
  while (last < end) {
    const now = await new Promise(requestAnimationFrame);
    intervals.push(now - last);
    last = now;
  }
  return intervals;
}"""
FIRST_PICTURE = """() => {
  const pictures = (root) => [...root.querySelectorAll("*")].flatMap((node) => [
    ...(node.localName === "img" && node.src.includes("plugin/images") ? [node] : []),
    ...(node.shadowRoot ? pictures(node.shadowRoot) : []),
  ]);
  return pictures(document).some((picture) => picture.complete && picture.naturalWidth)
    ? performance.now()
    : 0;
}"""


def png(picture: Array) -> bytes:
    """A grey picture, any range of values, as PNG."""
    low, high = float(picture.min()), float(picture.max())
    grey = ((picture - low) * (255 / ((high - low) or 1))).round().astype(np.uint8)
    height, width = grey.shape
    lines = b"".join(b"\0" + line.tobytes() for line in grey)

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def write_images(directory: Path, samples: int) -> None:
    """The samples as images: a step a capture, a tag for each of a capture's pictures."""
    rng = np.random.default_rng(0)
    panels: list[list[Summary.Image]] = []
    for _ in range(min(DISTINCT, samples)):
        sample = make_sample(rng)
        arrays = [sample.image]
        for target in sample.targets:
            arrays += [target.gradient, sample.image + target.gradient * np.float32(0.5)]
        panels.append(
            [
                Summary.Image(height=28, width=28, colorspace=1, encoded_image_string=png(array[0]))
                for array in arrays
            ]
        )
    writer = EventFileWriter(str(directory))
    for capture in range(samples // SAMPLES_A_CAPTURE):
        values = [
            Summary.Value(tag=f"sample {place}/panel {panel}", image=image)
            for place in range(SAMPLES_A_CAPTURE)
            for panel, image in enumerate(
                panels[(capture * SAMPLES_A_CAPTURE + place) % len(panels)]
            )
        ]
        step, wall_time = capture * STEPS_A_CAPTURE, STARTED + capture
        writer.add_event(Event(step=step, wall_time=wall_time, summary=Summary(value=values)))
    writer.close()


def open_images(browser: Browser, address: str, latency: float = 0) -> tuple[Page, float]:
    """TensorBoard on another tab, then Images; the milliseconds until its first picture."""
    page = browser.new_page(viewport=VIEWPORT)
    page.set_default_timeout(120_000)
    page.goto(f"{address}#timeseries")
    tab = page.get_by_role("tab", name="Images")
    tab.wait_for()
    page.wait_for_timeout(2000)
    if latency:
        delay(page, latency)
    start = page.evaluate("performance.now()")
    tab.click()
    end = page.wait_for_function(FIRST_PICTURE).json_value()
    return page, float(end - start)


def scroll_images(page: Page) -> list[float]:
    """Milliseconds between frames while it is scrolled two thousand pixels a second."""
    session = page.context.new_cdp_session(page)
    page.evaluate(f"window.frames_seen = ({FRAMES})()")
    gesture = {"x": 800, "y": 500, "yDistance": -8000, "speed": 2000, "preventFling": True}
    session.send("Input.synthesizeScrollGesture", {**gesture, "gestureSourceType": "mouse"})
    intervals: list[float] = page.evaluate("window.frames_seen")
    return intervals


def reachable_steps(address: str) -> int:
    """At how many steps the Images tab can show a tag."""
    url = f"{address}data/plugin/images/images?run=images&tag=sample%200%2Fpanel%200&sample=0"
    with urllib.request.urlopen(url) as answer:  # noqa: S310  # our own TensorBoard
        listed: list[Any] = json.load(answer)
    return len(listed)


def run(samples: int = 10_000, rounds: int = 20) -> report.Section:
    """Measures both tabs by turns, on the same machine and with the latency of a distant one."""
    captures = samples // SAMPLES_A_CAPTURE
    ours: dict[float, list[float]] = {latency: [] for latency in LATENCIES}
    theirs: dict[float, list[float]] = {latency: [] for latency in LATENCIES}
    our_frames: list[float] = []
    their_frames: list[float] = []
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        write_run(Path(folder) / "run", samples)
        write_images(Path(folder) / "images", samples)
        with tensorboard(Path(folder), "--reload_interval", "5") as address:
            wait_until_loaded(address, captures)
            time.sleep(5)
            for turn in trange(rounds, desc="Images", leave=False, disable=None):
                for latency in LATENCIES:
                    page, frame = open_tab(browser, address, latency)
                    ours[latency].append(float(frame.evaluate("bench.firstRows")))
                    scrolls = turn < SCROLLED and not latency
                    if scrolls:
                        our_frames.append(percentile(measure_scroll(page, frame), 95))
                    page.close()
                    page, first = open_images(browser, address, latency)
                    theirs[latency].append(first)
                    if scrolls:
                        their_frames.append(percentile(scroll_images(page), 95))
                    page.close()
            reachable = reachable_steps(address)
    return report.Section(
        "Beside TensorBoard's Images",
        [
            report.Figure(
                "our first rows against the first picture of Images",
                ratio(ours[0], theirs[0]).text("{:.2f}"),
                "at most 1.0",
            ),
            *(
                report.Figure(
                    f"what a latency of {latency} ms adds to our first rows, ms",
                    spread([a - b for a, b in zip(ours[latency], ours[0], strict=True)]).text(),
                    "at most 450",
                )
                for latency in LATENCIES[1:]
            ),
            report.Figure(
                f"steps that can be reached, of {captures:,}: ours, Images'",
                f"{captures:,}, {reachable:,}",
            ),
        ],
        ("", "our tab", "Images"),
        [
            *(
                (
                    f"first rows, first picture, latency {latency} ms",
                    spread(ours[latency]).text(),
                    spread(theirs[latency]).text(),
                )
                for latency in LATENCIES
            ),
            (
                "time between frames while scrolling, p95, ms",
                spread(our_frames).text("{:.1f}"),
                spread(their_frames).text("{:.1f}"),
            ),
        ],
    )


if __name__ == "__main__":
    report.show(run())
