"""``budget_mb`` in a training that would exceed it several times."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from torch import Tensor, nn

from tb_gradascent import GradAscentHook, read_samples
from tb_gradascent.format.event_file import find_event_files
from tb_gradascent.format.metadata import split_series_tag
from testing.brief import BRIEF

BATCH = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def sums(model: nn.Module, x: Tensor) -> Tensor:
    """A classifier that costs nothing."""
    return x.flatten(1)[:, :3]


def records_in(file: Path) -> Iterator[dict[str, Any]]:
    """The records in an event file, as TensorBoard's own loader finds them."""
    for event in LegacyEventFileLoader(str(file)).Load():
        for value in event.summary.value:
            series = split_series_tag(value.tag)
            if series and series[1] == "index":
                yield from map(json.loads, value.tensor.string_val)


def test_captures_cover_a_training_that_exceeds_the_budget(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    length = 2000
    with caplog.at_level(logging.WARNING):
        with GradAscentHook(
            nn.Identity(),
            tmp_path,
            every=1,
            budget_mb=0.25,
            forward=sums,
            top_k=1,
            strict=True,
            ascent=BRIEF,
        ) as hook:
            one = hook._capturer.writer.size
            hook(BATCH, BATCH.flatten(1)[:, :3])
            hook._capturer.writer.flush()
            one = hook._capturer.writer.size - one
            for _ in range(1, length):
                hook(BATCH, BATCH.flatten(1)[:, :3])
                hook._capturer.writer.flush()
        stats = hook.stats
    (file,) = find_event_files(tmp_path)
    size = file.stat().st_size
    assert size == stats.bytes <= 250_000
    assert size > 125_000
    assert one * length > 5 * 250_000, "the training must exceed the budget"
    steps = sorted({sample.step for sample in read_samples(tmp_path)})
    gaps = [after - before for before, after in itertools.pairwise([*steps, length])]
    assert steps[0] == 0
    assert all(
        gap <= max(1, 0.2 * step) for gap, step in zip(gaps, [*steps[1:], length], strict=True)
    )
    assert stats.every > 1
    assert stats.dropped == 0
    # Each sample stores the interval, once it is longer than asked, for the tab to show.
    told = {record["step"]: record.get("every", 1) for record in records_in(file)}
    intervals = [every for _, every in sorted(told.items())]
    assert intervals == sorted(intervals)
    assert intervals[0] == 1
    assert 1 < intervals[-1] <= stats.every
    messages = [record.getMessage() for record in caplog.records]
    assert ["budget_mb=0.25 has to last" in message for message in messages] == [True]


def test_within_the_budget_every_due_step_is_captured(tmp_path: Path) -> None:
    with GradAscentHook(
        nn.Identity(), tmp_path, every=2, forward=sums, ascent=None, strict=True
    ) as hook:
        for _ in range(50):
            hook(BATCH, BATCH.flatten(1)[:, :3])
    assert sorted({sample.step for sample in read_samples(tmp_path)}) == list(range(0, 50, 2))


def test_captures_beyond_the_budget_are_dropped_counted_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    images = torch.rand(4, 3, 64, 64)
    with caplog.at_level(logging.WARNING):
        with GradAscentHook(nn.Identity(), tmp_path, every=1, budget_mb=0.05, forward=sums) as hook:
            for _ in range(3):
                assert hook(images, images.flatten(1)[:, :3], step=None) == 4
                hook._capturer.writer.flush()
    assert (hook.stats.written, hook.stats.dropped) == (0, 12)
    assert [r.getMessage() for r in caplog.records].count(
        "budget_mb is used up: from here on captures are dropped that do not fit. "
        "Raise it, or every."
    ) == 1
    assert list(read_samples(tmp_path)) == []
