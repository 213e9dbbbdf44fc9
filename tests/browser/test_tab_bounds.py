"""What is painted is what the network was asked about: morphs within the sample's bounds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page

from tb_gradascent import read_samples
from tb_gradascent.format.samples import CapturedSample
from testing.board import Board
from testing.browser import open_page, read_panel, set_strength, wait_for_paint, wait_for_samples
from testing.painted import painted
from testing.synthetic import DIGITS, make_sample, write_session

pytestmark = pytest.mark.browser

Serve = Callable[..., Board]

SEEN = dataclasses.replace(DIGITS, mean=None, std=None, bounds=None)
"""A session of a hook that was given neither ``mean`` and ``std`` nor ``bounds``."""


def visible_sample(shape: tuple[int, ...], image: np.ndarray | None = None) -> CapturedSample:
    """Return a sample whose only morph is the smooth one."""
    sample = make_sample(np.random.default_rng(4), shape=shape, targets=(8,), morphs=("visible",))
    return sample if image is None else dataclasses.replace(sample, image=image)


def test_the_morph_of_a_signal_keeps_to_the_bounds_at_every_strength(
    serve_here: Serve, page: Page, tmp_path: Path
) -> None:
    sample = visible_sample((2, 300))
    low, high = sample.image.min(axis=1), sample.image.max(axis=1)
    sample = dataclasses.replace(sample, bounds=(tuple(low), tuple(high + np.array([0.05, 0.2]))))
    write_session(tmp_path, [[sample]], info=SEEN)
    tab = open_page(page, serve_here(tmp_path).address)
    wait_for_samples(tab)
    wait_for_paint(tab)
    card = tab.locator(".sample")
    [recorded] = read_samples(tmp_path)
    delta = recorded.targets[0].morphs["visible"].delta
    for strength in (0.5, 1, 1.25):
        set_strength(tab, strength)
        wait_for_paint(tab)
        panel = read_panel(card, "morph").mean(axis=2)
        height, width = panel.shape
        asked = painted(recorded, strength, delta)[0].numpy()
        clipped = 0.0
        for channel in range(2):
            row = panel[channel * height // 2 : (channel + 1) * height // 2]
            dark = np.where(row < 150, 255 - row, 0)
            middles = (dark * np.arange(len(row))[:, None]).sum(axis=0) / dark.sum(axis=0)

            def error(
                values: np.ndarray, width: int = width, middles: np.ndarray = middles
            ) -> float:
                """Return how far the drawn curve is from the values, in pixels at the worst."""
                along = np.interp(
                    (np.arange(width) + 0.5) / width, np.linspace(0, 1, len(values)), values
                )
                fitted = np.polyval(np.polyfit(along, middles, 1), along)
                return float(np.abs(fitted - middles).max())

            assert error(asked[channel]) < 1
            unclipped = recorded.image[channel] + strength * delta[channel]
            clipped = max(clipped, error(unclipped))
        assert clipped > 1.5, "the test would see a curve that is not clipped"


def test_seen_bounds_keep_the_relation_of_colours_and_clip_each_channel(
    serve_here: Serve, page: Page, tmp_path: Path
) -> None:
    """A reddish grey whose channels have shown values up to 1, 0.6 and 0.4."""
    most = np.array([1, 0.6, 0.4], np.float32)
    ramp = np.linspace(0.1, 0.35, 32 * 32, dtype=np.float32).reshape(1, 32, 32)
    sample = visible_sample((3, 32, 32), np.repeat(ramp, 3, axis=0))
    sample = dataclasses.replace(sample, bounds=((0.0, 0.1, 0.0), tuple(map(float, most))))
    write_session(tmp_path / "seen", [[sample]], info=SEEN)
    tab = open_page(page, serve_here(tmp_path).address)
    wait_for_samples(tab)
    wait_for_paint(tab)
    card = tab.locator(".sample")
    original = read_panel(card, "image")
    assert np.ptp(original, axis=2).max() == 0, "grey values are painted grey"
    assert np.abs(original[..., 0] - 255 * ramp[0]).max() <= 1
    [recorded] = read_samples(tmp_path)
    delta = recorded.targets[0].morphs["visible"].delta
    for strength in (0.5, 1.25):
        set_strength(tab, strength)
        wait_for_paint(tab)
        morph = read_panel(card, "morph")
        asked = painted(recorded, strength, delta)[0].numpy().transpose(1, 2, 0)
        assert np.abs(morph - 255 * asked).max() <= 1
    assert morph[..., 2].max() == 102, "blue ends at its own bound"
