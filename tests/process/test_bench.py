"""The benchmarks measure what they say."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench import __main__ as bench
from bench import gpu, long_run, measure, quality, report, sizes, visible
from bench.capture import bare_passes, given_by
from bench.workloads import photographs
from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin, read_samples
from tb_gradascent.functional.ascent import DEFAULT_ASCENTS
from testing.networks import digits, trained
from testing.paths import ROOT

DOCS = ROOT / "docs" / "benchmarks.md"


def test_functions_take_turns_and_the_warm_up_is_not_measured() -> None:
    turns: list[str] = []
    took = measure.by_turns(
        {"a": lambda: turns.append("a"), "b": lambda: turns.append("b")},
        3,
        what="test",
        before=lambda name: turns.append(f"before {name}"),
        warm_up=1,
    )
    assert turns == ["before a", "a", "before b", "b"] * 4
    assert {name: len(seconds) for name, seconds in took.items()} == {"a": 3, "b": 3}


def test_a_ratio_is_a_median_with_quartiles() -> None:
    ratio = measure.ratio([2, 6, 12, 20, 30], [1, 2, 3, 4, 5])
    assert list(ratio) == [3, 4, 5]
    assert ratio.text("{:.1f}") == "4.0 (3.0 to 5.0)"


@pytest.mark.parametrize(
    "ascent",
    [
        pytest.param(Ascent.smallest(), id="one"),
        pytest.param(DEFAULT_ASCENTS, id="defaults", marks=pytest.mark.slow),
    ],
)
def test_the_bare_passes_equal_those_of_a_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ascent: Any
) -> None:
    """The same pixels forwards, with and without a graph, and as many times backwards.

    The steps of a visible ascent look at transformed pixels, and rows that finish at different
    times cost a pass more that is not recorded.
    """
    passes: list[object] = []
    pixels: list[torch.Tensor] = []
    model = trained().eval()

    @model.register_forward_pre_hook
    def _(module: object, given: tuple[torch.Tensor]) -> None:
        passes.append((len(given[0]), torch.is_grad_enabled()))
        pixels.append(given[0].detach().clone())

    differentiate = torch.autograd.grad

    def grad(*args: Any, **kwargs: Any) -> Any:
        passes.append("backward")
        return differentiate(*args, **kwargs)

    monkeypatch.setattr(torch.autograd, "grad", grad)
    images = digits("test")[0][:64]
    criterion = ProbabilityMargin(max_margin=1)
    options: dict[str, Any] = {"every": 1, "max_overhead": None, "strict": True}
    with GradAscentHook(model, tmp_path, criterion=criterion, ascent=ascent, **options) as hook:
        for _call in range(3):  # the first two are checked
            logits = model(images)
            passes.clear()
            pixels.clear()
            hook(images, logits)
    captured, seen = passes.copy(), pixels.copy()
    passes.clear()
    pixels.clear()
    given = given_by([*read_samples(tmp_path, step=2)], images)
    bare_passes(model, given)
    steps = len(given.ascents[0][0]) - 1
    assert steps > 0
    if ascent is DEFAULT_ASCENTS:
        assert 0.9 * len(captured) < len(passes) <= len(captured)
        for size in (36, 32):  # the answers, and the small changes, of each of two ascents
            assert captured.count((size, False)) == passes.count((size, False)) == 2
        return
    assert captured == passes
    for place, (expected, actual) in enumerate(zip(seen, pixels, strict=True)):
        # Which candidates were asked about is not recorded, nor is each step's own length.
        if place and not 3 <= place < 3 + steps:
            torch.testing.assert_close(actual, expected)


def test_an_attack_sees_the_confidence_as_a_class_boundary() -> None:
    model = trained().eval()
    images = digits("test")[0][:50]
    targets = torch.arange(50) % 10
    says = quality.Convinced(model, targets)(images).argmax(1).bool()
    chances = model(images).softmax(1).gather(1, targets[:, None])[:, 0]
    assert torch.equal(says, chances >= quality.CONFIDENCE)
    assert says.any()


def outcome(name: str, *digits_: tuple[float, float]) -> quality.Outcome:
    gradients, changes = torch.tensor(digits_).T
    return quality.Outcome(name, gradients, torch.full_like(changes, 0.95), changes)


@pytest.mark.parametrize(
    ("other", "better", "share"),
    [
        ([(1, 0.5), (1, 0.5), (1, 0.5)], "1 of 1", "100.0%"),
        ([(1, 0.5), (1, math.inf), (1, math.inf)], "0 of 1", "33.3%"),
        ([(2, 0.5), (2, 0.5), (2, 0.5)], "0 of 1", "0.0%"),
        ([(1, 1.5), (1, 1.5), (1, 1.5)], "0 of 1", "0.0%"),
    ],
    ids=["beaten", "beaten once", "as many gradients", "a larger change"],
)
def test_a_result_on_the_front_is_distinguished_from_one_behind_it(
    other: list[tuple[float, float]], better: str, share: str
) -> None:
    ours = outcome("ours", (2, 1.0), (2, 1.0), (2, 1.0))
    found = quality.section({"case": (ours, [outcome("other", *other)])})
    assert [figure.value for figure in found.figures] == [better, share]


def test_a_morph_is_judged_by_networks_that_took_no_part() -> None:
    network = trained().eval()
    images = digits("test")[0][:6]
    targets = network(images).topk(2, 1).indices[:, 1]
    asked = 0

    class Judge(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            nonlocal asked
            asked += 1
            logits: Tensor = network(x)
            return logits

    ascent = Ascent.visible(steps=3, finish_steps=2)
    morphs = visible.morph(network, [Judge()], images, targets, ascent, (-0.5, 3.0))
    assert asked == 3
    assert 3 + 1 <= morphs.passes <= 3 + 1 + 2
    torch.testing.assert_close(morphs.own, network(morphs.inputs).softmax(1)[range(6), targets])
    assert torch.equal(morphs.believed[0], network(morphs.inputs).argmax(1) == targets)
    assert (morphs.gains[0] > 0).all()
    assert 0 < morphs.change < 1


def test_photographs_have_a_falling_spectrum_and_256_levels() -> None:
    images = photographs(8, (3, 64, 64))
    assert images.shape == (8, 3, 64, 64)
    assert len(images.unique()) <= 256
    power = torch.fft.rfft2(images).abs().square().mean((0, 1))
    rings = [power[low : 2 * low, low : 2 * low].mean().item() for low in (1, 4, 16)]
    assert rings[0] > 4 * rings[1] > 16 * rings[2]


def test_bytes_of_event_files_are_counted_per_sample() -> None:
    def write(folder: Path, model: nn.Module, images: Tensor) -> None:
        (folder / "nested").mkdir()
        for name in ("a", "nested/b"):
            (folder / name).write_bytes(bytes(100))

    assert sizes.bytes_of(write, nn.Flatten(), torch.zeros(1)) == 200


def test_results_begin_with_the_most_important_figures(tmp_path: Path) -> None:
    figures = [report.Figure("this against that", "1.01 (1.00 to 1.02)", "at most 1.05")]
    section = report.Section("Of this", figures, ("what", "ms"), [("this", "3")], "A note.")
    path = tmp_path / "RESULTS.md"
    report.write([section], path)
    text = path.read_text(encoding="utf-8")
    row = "| this against that | 1.01 (1.00 to 1.02) | at most 1.05 |"
    assert 0 < text.index(row) < text.index("## Of this") < text.index("A note.")
    assert text.index("| this | 3 |") > text.index("A note.")
    assert torch.__version__ in text
    assert np.__version__ in text


def test_one_section_of_the_results_can_be_updated(tmp_path: Path) -> None:
    def section(name: str, value: str) -> report.Section:
        figures = [report.Figure(f"{name} against that", value, "at most 3")]
        return report.Section(f"Of {name}", figures, ("what", "ms"), [(name, value)], "A note.")

    names = ("this", "these", "those")
    path, expected = tmp_path / "RESULTS.md", tmp_path / "EXPECTED.md"
    report.write([section(name, "1") for name in names], path)
    report.update([section("these", "2")], path)
    report.write([section(name, "2" if name == "these" else "1") for name in names], expected)
    assert path.read_text(encoding="utf-8") == expected.read_text(encoding="utf-8")
    report.update([section("new", "3")], path)
    values = {"this": "1", "these": "2", "those": "1", "new": "3"}
    report.write([section(name, value) for name, value in values.items()], expected)
    assert path.read_text(encoding="utf-8") == expected.read_text(encoding="utf-8")


def test_the_docs_quote_the_results(tmp_path: Path) -> None:
    figures = [report.Figure("this", "1.01", "1"), report.Figure("that", "2.02")]
    path = tmp_path / "benchmarks.md"
    text = "this\n\n| this | 3 |\n| this and that | 4 |\n| that | |\n\n| other | 5 |\n"
    path.write_text(text, encoding="utf-8")
    report.quote([report.Section("", figures)], path)
    expected = text.replace("| 3 |", "| 1.01 |").replace("| that | |", "| that | 2.02 |")
    assert path.read_text(encoding="utf-8") == expected


@pytest.mark.slow
def test_the_benchmark_for_a_gpu_runs_dry_on_a_cpu() -> None:
    section = gpu.run(gpu.DRY_RUN)
    waits, _copies, *costs = section.figures
    assert waits.value == "0"
    assert [row[0] for row in section.rows] == [case.name for case in gpu.cases(gpu.DRY_RUN)]
    assert len(costs) == 4
    assert all("%" in figure.value for figure in costs)


def test_a_long_training_is_simulated_with_real_captures() -> None:
    torch.manual_seed(0)
    images, labels = digits("test")[0][:64], torch.arange(64) % 10
    found = long_run.train(trained(), [(images, labels)], minutes=0.05)
    assert 1 <= found.captures <= 2  # one in 100 steps
    assert found.seconds > 0
    assert found.part == pytest.approx(found.seconds / 3)
    assert found.beyond == 0  # within the free seconds


def test_every_benchmark_runs_by_name_and_is_explained() -> None:
    explained = DOCS.read_text(encoding="utf-8")
    for name in bench.MODULES:
        assert callable(importlib.import_module(f"bench.{name}").run)
        assert f"(`bench/{name}.py`)" in explained
