"""``show`` and ``Sample._repr_html_`` in a real Chromium, on a page that embeds their output."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from playwright.sync_api import BrowserContext, Frame, Page

from tb_gradascent import GradAscentHook, ProbabilityMargin, Sample, read_samples, show
from tb_gradascent.plugin import report_page
from tb_gradascent.plugin.assets import Assets
from testing.browser import panels_of, percent, read_panel, set_strength, wait_for_samples
from testing.networks import MEAN, STD, digits, trained
from testing.painted import painted

VSCODE_POLICY = (
    "default-src 'none'; "
    "script-src 'self' https://*.vscode-cdn.net 'unsafe-inline' 'unsafe-eval'; "
    "style-src 'self' https://*.vscode-cdn.net 'unsafe-inline'; "
    "img-src 'self' https://*.vscode-cdn.net https: http: data:; "
    "font-src 'self' https://*.vscode-cdn.net https:; connect-src https:; child-src https: data:;"
)
"""The policy of the page in which VS Code shows the outputs of a notebook."""

HOSTS = {
    "Colab": "",
    "VS Code": f'<meta http-equiv="Content-Security-Policy" content="{VSCODE_POLICY}">',
}
"""These programs show an output in a frame of another origin. This HTML precedes it there."""

HOSTILE = '"></iframe><script>parent.hacked = 1</script><img src=x onerror="parent.hacked = 1">'


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    logdir = tmp_path_factory.mktemp("runs")
    images, labels = digits("test")
    names = [HOSTILE, *(f"digit {index}" for index in range(1, 10))]
    options: Any = {"class_names": names, "mean": MEAN, "std": STD, "strict": True}
    model = trained()
    with GradAscentHook(model, logdir, criterion=ProbabilityMargin(1), **options) as hook:
        hook.scan([(images[:30], labels[:30])], ids=[HOSTILE] * 30, top_k=3)
    return list(read_samples(logdir))


@pytest.fixture
def embed(context: BrowserContext, tmp_path: Path) -> Iterator[Callable[[str], Frame]]:
    """Opens a file with an output of a notebook in it. Returns the frame of the samples.

    The test fails if anything is asked for, or complains.
    """
    page: Page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text))
    page.on("request", lambda request: complaints.append(request.url))

    def open_output(output: str) -> Frame:
        file = tmp_path / "notebook.html"
        file.write_text(f"<!DOCTYPE html><meta charset=utf-8><h1>Notebook</h1>{output}")
        page.goto(file.as_uri())
        complaints[:] = [each for each in complaints if each != file.as_uri()]
        element = page.wait_for_selector("iframe")
        assert element is not None
        assert element.get_attribute("sandbox") == "allow-scripts"
        frame = element.content_frame()
        assert frame is not None
        frame.wait_for_load_state()
        if inner := frame.query_selector("iframe"):  # the frame of a program around the output
            assert inner.get_attribute("sandbox") == "allow-scripts"
            frame = inner.content_frame()
            assert frame is not None
        wait_for_samples(frame)
        return frame

    yield open_output
    assert not page.evaluate("window.hacked")
    page.close()
    assert [each for each in complaints if not each.startswith(("data:", "blob:"))] == []


def grey(point: Any) -> Any:
    """The grey levels of a digit in model space."""
    return np.asarray((point[0, 0] * STD + MEAN).clip(0, 1) * 255)


def check_slider(frame: Frame, sample: Sample) -> None:
    card = frame.locator(".sample").first
    target = next(target for target in sample.targets if target.morphs)
    row = [drawn["target"] for drawn in panels_of(card)["targets"]].index(target.index)
    for strength in (0.0, 1.0):
        set_strength(frame, strength)
        pixels = read_panel(card, "morph", row)
        expected = grey(painted(sample, strength, target.morphs["visible"].delta))
        side = pixels.shape[0] // 28
        np.testing.assert_allclose(pixels[::side, ::side, 0], expected, atol=1.5)


@pytest.mark.browser
def test_the_card_of_a_sample_works_without_a_server(
    samples: list[Sample], embed: Callable[[str], Frame]
) -> None:
    sample = samples[0]
    frame = embed(sample._repr_html_())
    assert frame.locator(".sample").count() == 1
    assert percent(sample.probabilities[0]) in frame.locator(".sample").inner_text()
    check_slider(frame, sample)


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch, bundle: Path) -> Iterator[None]:
    """Let reports hold the bundle, as they do when the package is installed."""
    monkeypatch.setattr(report_page, "Assets", partial(Assets, bundle=bundle))
    report_page._page_code.cache_clear()
    yield
    report_page._page_code.cache_clear()


@pytest.mark.browser
@pytest.mark.parametrize("host", HOSTS)
def test_an_output_works_in_a_frame_of_another_origin(
    samples: list[Sample], embed: Callable[[str], Frame], bundled: None, host: str
) -> None:
    """A frame inside inherits the policy of the frame around it."""
    inside = html.escape(HOSTS[host] + samples[0]._repr_html_())
    frame = embed(f'<iframe sandbox="allow-scripts" width="1300" srcdoc="{inside}"></iframe>')
    assert frame.parent_frame is not None
    assert frame.parent_frame.evaluate("origin") == "null"
    check_slider(frame, samples[0])


@pytest.mark.browser
def test_several_samples_are_shown_as_cards(
    samples: list[Sample], embed: Callable[[str], Frame]
) -> None:
    frame = embed(show(samples, title=HOSTILE)._repr_html_())
    assert frame.locator(".sample").count() == 3
    width = frame.page.locator("iframe").evaluate("frame => frame.clientWidth")
    assert width > 1000
    assert frame.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_one_sample_and_a_generator_are_taken(samples: list[Sample]) -> None:
    assert repr(show(samples[0])).startswith("<1 sample,")
    assert repr(show(sample for sample in samples)).startswith("<3 samples,")


def test_more_samples_than_the_limit_are_told(samples: list[Sample]) -> None:
    assert "first" not in re.sub(r'srcdoc="[^"]*"', "", show(samples, limit=3)._repr_html_())
    part = show(iter(samples), limit=2)
    assert repr(part).startswith("<2 samples,")
    assert "These are the first 2 samples." in part._repr_html_()
    assert "first" not in re.sub(r'srcdoc="[^"]*"', "", show(samples, limit=None)._repr_html_())


def test_the_output_is_one_frame_whose_attributes_hold(samples: list[Sample]) -> None:
    """Nothing in a name ends the attribute that holds the page."""
    output = show(samples, title=HOSTILE)._repr_html_()
    assert re.fullmatch(r'<iframe( [\w-]+="[^"<>]*")+></iframe>', output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"samples": []}, "samples must hold at least one sample, got none"),
        ({"samples": [torch.zeros(1)]}, r"samples of read_samples\(…\), got a Tensor"),
        ({"samples": "runs"}, r"samples of read_samples\(…\), got a str"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
        ({"height": -3}, "height must be at least 1, got -3"),
    ],
)
def test_an_argument_that_breaks_its_rule_is_refused(
    samples: list[Sample], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        show(**{"samples": samples, **arguments})
