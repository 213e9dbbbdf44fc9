"""``LightningCLI`` takes the hook's options as flags and in YAML."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import lightning.pytorch
import pytest

from tb_gradascent.lightning import GradAscentCallback
from testing.lightning_training import Classifier, data

pytest.importorskip("jsonargparse")

pytestmark = [
    # These are Lightning's own warnings.
    pytest.mark.filterwarnings("ignore:LightningCLI's args parameter"),
    pytest.mark.filterwarnings("ignore:No seed found"),
    # It is jsonargparse's, about what Lightning does.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

CALLBACK = "tb_gradascent.lightning.GradAscentCallback"
FLAGS = ["every=50", "class_names=[cat, dog]", "mean=0.1", "std=[0.3]", "validation=false"]
YAML = f"""
trainer:
  callbacks:
    class_path: {CALLBACK}
    init_args:
      every: 50
      class_names: [cat, dog]
      mean: 0.1
      std: [0.3]
      validation: false
"""


class Data(lightning.pytorch.LightningDataModule):
    """The digits."""

    def train_dataloader(self) -> Any:
        return data()


@pytest.mark.parametrize("form", ["flags", "yaml"])
def test_the_options_are_taken(tmp_path: Path, monkeypatch: Any, form: str) -> None:
    from lightning.pytorch.cli import LightningCLI

    monkeypatch.setattr(sys, "argv", ["train"])
    arguments = ["--trainer.accelerator=cpu", "--seed_everything=1"]
    if form == "yaml":
        (tmp_path / "config.yaml").write_text(YAML)
        arguments += ["--config", str(tmp_path / "config.yaml")]
    else:
        arguments += [f"--trainer.callbacks={CALLBACK}"]
        arguments += [f"--trainer.callbacks.{flag}" for flag in FLAGS]
    made: Any = LightningCLI(Classifier, Data, args=arguments, run=False, save_config_callback=None)
    (callback,) = (c for c in made.trainer.callbacks if isinstance(c, GradAscentCallback))
    options = callback._options
    assert {name: options[name] for name in ("every", "class_names", "mean", "std")} == {
        "every": 50,
        "class_names": ["cat", "dog"],
        "mean": 0.1,
        "std": [0.3],
    }
    assert not callback._validation
