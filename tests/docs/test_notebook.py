"""The tutorial ``examples/look_inside.ipynb`` runs from top to bottom, and keeps its outputs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch

from tb_gradascent import read_samples
from testing.notebook import MAGIC, read_notebook, run_notebook
from testing.paths import ROOT

FILE = ROOT / "examples" / "look_inside.ipynb"
NOTEBOOK = read_notebook(FILE)
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]
TEXT = "\n".join(
    "".join(cell["source"]) for cell in NOTEBOOK["cells"] if cell["cell_type"] == "markdown"
)


def kinds(cell: Any) -> list[list[str]]:
    """The kinds of a cell's outputs."""
    return [sorted(output.get("data", [output["output_type"]])) for output in cell["outputs"]]


def test_the_file_is_small_and_holds_no_error() -> None:
    assert FILE.stat().st_size < 1_000_000
    assert sum(bool(cell["outputs"]) for cell in CODE) >= 9
    kept = [kind for cell in CODE for output in kinds(cell) for kind in output]
    assert set(kept) == {"image/png", "text/plain", "text/html", "stream"}


def test_its_own_lines_of_ipython_open_tensorboard() -> None:
    lines = [line for cell in CODE for line in "".join(cell["source"]).splitlines()]
    assert [line for line in lines if line.startswith(MAGIC)] == [
        "%load_ext tensorboard",
        "%tensorboard --logdir runs",
    ]


def test_its_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", TEXT)
    assert len(links) >= 5
    for link in links:
        assert link.startswith("https://") or (FILE.parent / link).resolve().exists(), link
    (credit,) = re.findall(r"https://\S+confused_logit\.py", (ROOT / "NOTICE").read_text("utf-8"))
    assert credit in TEXT


@pytest.mark.process
@pytest.mark.slow
def test_it_runs_from_top_to_bottom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = read_notebook(FILE)
    found = run_notebook(notebook, FILE.parent)
    ran = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [kinds(cell) for cell in ran] == [kinds(cell) for cell in CODE]

    assert found["accuracy"] > 0.85
    assert found["chances"][-1] >= 0.95, "many steps convince the network"
    assert found["after"][5] > found["belief"][5], "one step raises the probability"
    check_gradient(found)
    assert {morph for target in found["sample"].targets for morph in target.morphs} == {
        "smallest",
        "visible",
    }
    recorded = list(read_samples("runs", run="training"))
    assert len(recorded) == found["hook"].stats.captured
    probes = [sample for sample in recorded if sample.probe]
    assert len(probes) == 3 * len({sample.step for sample in recorded})


def check_gradient(found: dict[str, Any]) -> None:
    """Compare the gradient by hand with differences of the logit, in double precision."""
    model = found["untrained"].double()
    image = found["image"].double()
    gradient = found["input_gradient"](model, image, 5)
    for row, column in ((5, 9), (14, 14), (20, 12)):
        nudge = torch.zeros_like(image)
        nudge[0, 0, row, column] = 1e-5
        with torch.no_grad():
            difference = model(image + nudge)[0, 5] - model(image - nudge)[0, 5]
        assert float(gradient[0, 0, row, column]) == pytest.approx(
            float(difference) / 2e-5, rel=1e-4
        )
