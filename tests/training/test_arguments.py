"""Wrong arguments raise an error when the hook is made."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin
from tb_gradascent.functional.ascent import DEFAULT_ASCENTS
from tb_gradascent.training import arguments

BAD: list[tuple[str, dict[str, Any], str]] = [
    ("no model", {"model": "resnet"}, "model must be a torch.nn.Module, got str"),
    ("log", {"log": 3}, "log must be a directory or a SummaryWriter, got 3"),
    ("log bytes", {"log": b"runs"}, "log must be a directory"),
    ("log file", {"log": __file__}, "log must be a directory, got the file"),
    ("every", {"every": 0}, "every must be a whole number of at least 1, got 0"),
    ("every bool", {"every": True}, "every must be a whole number of at least 1, got True"),
    ("every text", {"every": "10"}, "every must be a whole number of at least 1, got '10'"),
    ("top_k", {"top_k": 1.5}, "top_k must be a whole number of at least 1, got 1.5"),
    ("criterion", {"criterion": "margin"}, "criterion must be a callable"),
    ("criterion class", {"criterion": ProbabilityMargin}, "got the class ProbabilityMargin"),
    ("targets", {"targets": "top3"}, "targets must be"),
    ("score", {"score": "loss"}, 'score must be "logit", "probability"'),
    ("score array", {"score": np.zeros(2)}, 'score must be "logit", "probability"'),
    ("ranks array", {"ranks": np.zeros(2)}, "ranks must be"),
    ("budget", {"budget_mb": 10**400}, "budget_mb must be a positive number"),
    ("std tiny", {"mean": 0.0, "std": 1e-320}, "std must not be so small"),
    ("log null", {"log": "a\0b"}, "log must be a directory"),
    ("ascent", {"ascent": 0.9}, "ascent must be an Ascent"),
    ("ascent list", {"ascent": [Ascent()]}, "ascent must be an Ascent"),
    ("ascent empty", {"ascent": {}}, "a mapping of 1 to 4 of them by name, or None, got {}"),
    ("five ascents", {"ascent": dict.fromkeys("abcde", Ascent())}, "ascent must be an Ascent"),
    ("ascent class", {"ascent": {"a": Ascent}}, "ascent must be an Ascent"),
    ("ascent name", {"ascent": {"": Ascent()}}, "ascent must have names of 1 to 64 printable"),
    ("ascent number", {"ascent": {1: Ascent()}}, "ascent must have names of 1 to 64 printable"),
    ("judges", {"judges": nn.Linear(2, 2)}, "judges must be a mapping of at most 4"),
    ("judges text", {"judges": {"ema": "model"}}, 'judges={"ema": ema_model}'),
    ("judge name", {"judges": {"a\n": nn.Linear(2, 2)}}, "judges must have names of 1 to 64"),
    ("images", {"images": "blur"}, "images must be True, False or a callable"),
    ("overhead", {"max_overhead": 1}, "max_overhead must be a number above 0 and below 1, got 1"),
    ("names text", {"class_names": "0123456789"}, "class_names must be a list"),
    ("names numbers", {"class_names": [0, 1]}, "class_names[0] must be text"),
    ("names length", {"class_names": ["x" * 300]}, "class_names[0] must be text of at most 256"),
    ("mean alone", {"mean": 0.5}, "mean and std must be given together"),
    ("std zero", {"mean": 0.5, "std": 0.0}, "std must be positive"),
    ("lengths", {"mean": [0.5, 0.5], "std": 0.1}, "mean and std must have the same length"),
    ("mean nan", {"mean": np.nan, "std": 1}, "mean must be a finite number"),
    ("65", {"mean": [0] * 65, "std": [1] * 65}, "mean must be a finite number, or 1 to 64"),
    ("bounds", {"bounds": 1}, "bounds must be a pair"),
    ("order", {"bounds": (1, 0)}, "bounds must be a pair (low, high)"),
    ("text", {"bounds": "01"}, "bounds must be a pair"),
    ("bounds none", {"bounds": (None, 1)}, "bounds must be a pair"),
    ("forward", {"forward": "m(x)"}, "forward must be a callable"),
    ("tag empty", {"tag": ""}, "tag must be printable text"),
    ("tag slash", {"tag": "a/"}, "tag must be printable text"),
    ("tag newline", {"tag": "a\nb"}, "tag must be printable text"),
    ("tag quote", {"tag": 'a "b"'}, "tag must be printable text"),
    ("tag backslash", {"tag": "a\\b"}, "tag must be printable text"),
    ("tag number", {"tag": 5}, "tag must be text"),
]


@pytest.mark.parametrize(("given", "message"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_wrong_argument_is_named_and_nothing_is_written(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    values: dict[str, Any] = {"model": nn.Linear(2, 2), "log": tmp_path / "run", **given}
    with pytest.raises(ValueError, match=re.escape(message)):
        GradAscentHook(**values)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_cannot_be_made_raises_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="file"):
        GradAscentHook(nn.Linear(2, 2), tmp_path / "file" / "run")


def test_bounds_follow_from_mean_and_std() -> None:
    mean, std = arguments.normalization([0.5, 0.4], torch.tensor([0.25, 0.2]))
    assert std == pytest.approx((0.25, 0.2))
    bounds = arguments.legal_bounds(None, mean, std)
    assert bounds is not None
    assert bounds[0] == pytest.approx((-2, -2))
    assert bounds[1] == pytest.approx((2, 3))
    assert arguments.legal_bounds(None, None, None) is None
    assert arguments.legal_bounds((0, [1, 2]), None, None) == ((0.0, 0.0), (1.0, 2.0))
    assert arguments.legal_bounds(np.array([[0, 1], [3, 4]]).tolist(), None, None) == (
        (0.0, 1.0),
        (3.0, 4.0),
    )


def test_the_directory_of_a_summary_writer_is_used() -> None:
    for name in ("log_dir", "logdir"):
        assert arguments.log_directory(SimpleNamespace(**{name: "runs/x"})) == Path("runs/x")


def test_ascents_by_name() -> None:
    smallest, visible = Ascent.smallest(confidence=0.9), Ascent.visible(steps=3)
    assert arguments.ascents(None) == {}
    assert arguments.ascents(smallest) == {"smallest": smallest}
    assert arguments.ascents(Ascent(step_size=1.0)) == {"smallest": Ascent(step_size=1.0)}
    assert arguments.ascents(visible) == {"visible": visible}
    named = {"z": visible, "a": smallest, "b" * 64: smallest}
    assert list(arguments.ascents(named).items()) == list(named.items()), "in their order"
    assert arguments.ascents(DEFAULT_ASCENTS) == {
        "smallest": Ascent.smallest(),
        "visible": Ascent.visible(),
    }


def test_ascents_are_a_copy() -> None:
    """The caller may change the mapping afterwards."""
    given = {"smallest": Ascent()}
    taken = arguments.ascents(given)
    given.clear()
    assert list(taken) == ["smallest"]


def test_judges_by_name() -> None:
    judges = {name: nn.Linear(2, 2) for name in ("z", "a", "ä ö", "b" * 64)}
    assert arguments.judges(None) == arguments.judges({}) == {}
    taken = arguments.judges(judges)
    assert list(taken.items()) == list(judges.items())
    assert taken is not judges


@pytest.mark.parametrize("value", [1e-9, 0.01, 0.999, np.float64(0.5)])
def test_a_fraction_is_between_its_ends(value: float) -> None:
    taken = arguments.fraction("part", value)
    assert taken == value
    assert type(taken) is float


@pytest.mark.parametrize("value", [0, 1, 0.0, 1.0, -0.1, 2, np.nan, np.inf, True, "0.5", [0.5]])
def test_what_is_no_fraction_is_named_with_its_remedy(value: object) -> None:
    with pytest.raises(ValueError, match="part must be a number above 0 and below 1") as raised:
        arguments.fraction("part", value)
    assert f"got {value!r}: 0.01 is one per cent, and None sets no limit" in str(raised.value)


def test_no_fraction_is_no_limit() -> None:
    assert arguments.fraction("part", None) is None
