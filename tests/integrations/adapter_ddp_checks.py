"""The checks of ``tests/integrations/test_adapter_ddp.py``, which each rank runs."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from tb_gradascent import lightning, transformers
from testing import lightning_training, transformers_training
from testing.networks import vision_transformer
from testing.torchrun import run


def lightnings_trainer(directory: Path) -> None:
    callback = lightning.GradAscentCallback(every=2, validation=True, strict=True)
    options: Any = {"devices": 2, "strategy": "ddp", "limit_val_batches": 1}
    lightning_training.fit(lightning_training.Classifier(), directory, callback, **options)
    assert callback.hook is not None
    assert callback.hook.stats.written > 0


def transformers_trainer(directory: Path) -> None:
    callback = transformers.GradAscentCallback(every=2, strict=True)
    transformers_training.train(vision_transformer(), directory, callback)
    assert callback.hook is not None
    assert callback.hook.stats.written > 0


CHECKS = (lightnings_trainer, transformers_trainer)

if __name__ == "__main__":
    warnings.simplefilter("ignore")
    run(CHECKS)
