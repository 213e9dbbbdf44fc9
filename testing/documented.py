"""The README and the pages of ``docs/``: their sections, tables and blocks of Python.

:func:`names` gives the objects that the blocks use as a reader's own, such as ``model``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from testing.networks import convolutional, digits, vision_transformer
from testing.paths import ROOT

PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
"""Every page that a reader is meant to read."""


def sections(page: Path, depth: int = 6) -> dict[str, str]:
    """The text below each heading of a page, up to the next one; headings below ``depth`` are text.

    The text before the first heading is below "".
    """
    heading, fenced = "", False
    found = {heading: ""}
    for line in page.read_text(encoding="utf-8").splitlines(keepends=True):
        fenced ^= line.startswith("```")
        match = None if fenced else re.match(rf"#{{1,{depth}}} (.+)", line)
        if match:
            heading = match[1]
        found[heading] = found.get(heading, "") + ("" if match else line)
    return found


def python_blocks(text: str) -> list[str]:
    """The blocks of Python in a text."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def table(text: str, head: str) -> dict[str, list[str]]:
    """The rows of the tables whose first column is called ``head``: first cell to other cells."""
    rows: dict[str, list[str]] = {}
    for block in text.split("\n\n"):
        cells = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in block.strip().splitlines()
            if line.startswith("|")
        ]
        if cells and cells[0][0] == head:
            rows |= {first: others for first, *others in cells[2:]}
    return rows


def anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


class TwoInputs(nn.Module):
    """A classifier that takes an image and a number."""

    def __init__(self) -> None:
        super().__init__()
        self.net = convolutional()

    def forward(self, image: Tensor, age: Tensor) -> Tensor:
        logits: Tensor = self.net(image) * age[:, None]
        return logits


def names() -> dict[str, Any]:
    """New objects for the blocks of one page or section, by name.

    Only here are the frameworks imported, because that takes seconds.
    """
    import lightning.pytorch
    from ignite.engine import create_supervised_trainer
    from transformers import TrainingArguments

    class Module(lightning.pytorch.LightningModule):
        """A module in the style of Lightning's tutorials."""

        def __init__(self) -> None:
            super().__init__()
            self.net = convolutional()

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            images, labels = batch
            return functional.cross_entropy(self.net(images), labels)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.Adam(self.parameters())

    images, labels = digits()
    rows, few = slice(64), slice(12)
    dataset = TensorDataset(images[rows], labels[rows])
    model = convolutional()
    optimizer = torch.optim.Adam(model.parameters())
    return {
        "F": functional,
        "torch": torch,
        "model": model,
        "optimizer": optimizer,
        "loader": DataLoader(dataset, 16),
        "validation_loader": DataLoader(TensorDataset(images[few], labels[few]), 6),
        "resumed_at": 40,
        "model_of_two_inputs": TwoInputs(),
        "dictionaries": [{"image": images[few], "age": labels[few] / 2, "label": labels[few]}],
        "linear_model": nn.Linear(784, 10),
        "module": Module(),
        "image_classifier": vision_transformer(),
        "arguments": TrainingArguments(
            "trained", max_steps=2, report_to="tensorboard", use_cpu=True, disable_tqdm=True
        ),
        "dataset": [
            {"pixel_values": image, "labels": label}
            for image, label in zip(images[rows], labels[rows], strict=True)
        ],
        "trainer": create_supervised_trainer(model, optimizer, functional.cross_entropy),
    }
