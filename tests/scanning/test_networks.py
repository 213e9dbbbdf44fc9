"""Where a command's network comes from: a function, a library, and files of weights."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from tb_gradascent import read_samples
from tb_gradascent.__main__ import main
from tb_gradascent.scanning.networks import ScaleAndCrop, load_network, measure_scale, read_weights
from testing.networks import convolutional

GREEN = (0, 200, 0)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of the user's."""
    (tmp_path / "own.py").write_text("from testing.networks import convolutional as make_model\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own", raising=False)
    return tmp_path


def pictures(folder: Path) -> Path:
    """A folder of six pictures in two folders."""
    generator = np.random.default_rng(0)
    for number in range(6):
        path = folder / "images" / ("cat" if number % 2 else "dog") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(generator.integers(0, 255, (40, 50, 3), dtype=np.uint8)).save(path)
    return folder / "images"


def test_a_function_makes_the_model(own: Path) -> None:
    network = load_network("own:make_model", None)
    assert not network.model.training
    assert not any(parameter.requires_grad for parameter in network.model.parameters())
    assert (network.preprocess, network.class_names, network.channels) == (None, None, 1)


@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "net.model."])
@pytest.mark.parametrize("key", [None, "state_dict", "model"])
def test_weights_are_found_in_checkpoints(own: Path, prefix: str, key: str | None) -> None:
    saved = convolutional(seed=5).state_dict()
    state = {prefix + name: value for name, value in saved.items()}
    torch.save(state if key is None else {key: state, "epoch": 3}, own / "w.pt")
    loaded = load_network("own:make_model", own / "w.pt").model.state_dict()
    assert loaded.keys() == saved.keys()
    for name, value in saved.items():
        torch.testing.assert_close(loaded[name], value)


def test_weights_are_read_from_safetensors(own: Path) -> None:
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file({"a.weight": torch.arange(3.0)}, own / "w.safetensors")
    assert read_weights(own / "w.safetensors")["a.weight"].tolist() == [0, 1, 2]


def test_nothing_in_a_file_of_weights_is_executed(
    own: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "executed"),)

    torch.save({"weight": Bomb()}, own / "w.pt")
    arguments = ["--images", str(pictures(tmp_path)), "--logdir", str(tmp_path / "runs")]
    arguments += ["--model", "own:make_model", "--weights", str(own / "w.pt")]
    assert main(["scan", *arguments]) == 2
    assert "weights_only=True" in capsys.readouterr().err
    assert not (tmp_path / "executed").exists()


def test_the_scale_of_a_preprocessing_is_measured() -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    scale = measure_scale(ScaleAndCrop((8, 6), mean, std), (64, 64), 3)
    assert scale is not None
    assert (scale.mean, scale.std) == (mean, std)
    np.testing.assert_allclose(scale.black, -np.array(mean) / std, atol=1e-6)
    np.testing.assert_allclose(scale.white, (1 - np.array(mean)) / std, atol=1e-6)


def to_tensor(picture: Image.Image) -> Tensor:
    return torch.tensor(np.asarray(picture)).float().permute(2, 0, 1) / 255


@pytest.mark.parametrize(
    "preprocess",
    [
        lambda picture: nn.functional.pad(to_tensor(picture), (2, 2)),
        lambda picture: to_tensor(picture) ** 2.2,
        lambda picture: 1 - to_tensor(picture),
        lambda picture: to_tensor(picture) * 0,
    ],
    ids=["padded", "curved", "negative", "constant"],
)
def test_a_preprocessing_without_a_scale_is_recognised(preprocess: object) -> None:
    assert measure_scale(preprocess, (16, 16), 3) is None  # type: ignore[arg-type]


def test_a_folder_of_transformers_knows_preprocessing_and_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=32,
        patch_size=8,
        id2label={0: "cat", 1: "dog", 2: "bird"},
    )
    model = transformers.ViTForImageClassification(config).eval()
    model.save_pretrained(tmp_path / "vit")
    processor = transformers.ViTImageProcessor(
        size={"height": 32, "width": 32}, image_mean=[0.4, 0.5, 0.6], image_std=[0.2, 0.25, 0.3]
    )
    processor.save_pretrained(tmp_path / "vit")
    images = pictures(tmp_path)
    logdir = tmp_path / "runs"
    arguments = ["--images", str(images), "--logdir", str(logdir)]
    assert main(["scan", "--model", f"hf:{tmp_path / 'vit'}", *arguments]) == 0
    samples = list(read_samples(logdir))
    assert len(samples) == 6
    for sample in samples:
        assert sample.id is not None
        assert sample.class_names == ("cat", "dog", "bird")
        assert sample.label == ("cat", "dog").index(sample.id[:3])
        assert (sample.mean, sample.std) == ((0.4, 0.5, 0.6), (0.2, 0.25, 0.3))
        with Image.open(images / sample.id) as picture:
            pixels = processor(picture.convert("RGB"), return_tensors="pt")["pixel_values"]
        np.testing.assert_allclose(sample.image, pixels[0].numpy(), atol=1e-6)
        with torch.no_grad():
            chances = model(pixels).logits.softmax(1)[0].numpy()
        np.testing.assert_allclose(sample.probabilities, np.sort(chances)[::-1], atol=1e-4)
    (tmp_path / "vit" / "preprocessor_config.json").unlink()
    capsys.readouterr()
    assert main(["scan", "--model", f"hf:{tmp_path / 'vit'}", *arguments]) == 2
    assert "must have an image processor beside its weights" in capsys.readouterr().err


@pytest.mark.torchvision
@pytest.mark.parametrize("weights", ["pretrained", "file of two classes"])
def test_a_model_of_torchvision_knows_preprocessing_and_names(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is downloaded: the weights lie where torch keeps what it downloaded."""
    models = pytest.importorskip("torchvision.models")
    own = models.ShuffleNet_V2_X0_5_Weights.DEFAULT
    torch.manual_seed(0)
    classes = 2 if "two" in weights else 1000
    model = models.shufflenet_v2_x0_5(num_classes=classes).eval()
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.save(model.state_dict(), cache / own.url.rpartition("/")[2])
    images = pictures(tmp_path)
    arguments = ["--images", str(images), "--logdir", str(tmp_path / "runs"), "--top-k", "1"]
    if weights != "pretrained":
        torch.save(model.state_dict(), tmp_path / "w.pt")
        arguments += ["--weights", str(tmp_path / "w.pt")]
    assert main(["scan", "--model", "torchvision:shufflenet_v2_x0_5", *arguments]) == 0
    samples = list(read_samples(tmp_path / "runs"))
    assert len(samples) == 1
    for sample in samples:
        assert sample.id is not None
        assert sample.mean == (0.485, 0.456, 0.406)
        assert sample.std == (0.229, 0.224, 0.225)
        if classes == 2:
            assert sample.class_names == ("cat", "dog")
            assert sample.label == ("cat", "dog").index(sample.id[:3])
        else:
            assert sample.class_names == tuple(own.meta["categories"])
            assert sample.label is None
        with Image.open(images / sample.id) as picture:
            pixels = own.transforms()(picture.convert("RGB"))
        np.testing.assert_allclose(sample.image, pixels.numpy(), atol=1e-6)
        with torch.no_grad():
            best = model(pixels[None])[0].softmax(0).max()
        assert sample.probabilities[0] == pytest.approx(float(best), abs=1e-4)


@pytest.mark.torchvision
def test_a_model_of_timm_knows_preprocessing_and_names(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    model = timm.create_model("mobilenetv3_small_050").eval()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    images = pictures(tmp_path)
    (images / "cat").rename(images / "n02123045")
    arguments = ["--weights", str(tmp_path / "w.pt"), "--images", str(images), "--top-k", "1"]
    arguments += ["--logdir", str(tmp_path / "runs")]
    assert main(["scan", "--model", "timm:mobilenetv3_small_050", *arguments]) == 0
    samples = list(read_samples(tmp_path / "runs"))
    assert len(samples) == 1
    for sample in samples:
        assert sample.id is not None
        assert sample.class_names is not None
        assert "tabby" in sample.class_names[281]
        assert sample.label == (281 if sample.id.startswith("n02123045") else None)
        config = timm.data.resolve_model_data_config(model)
        assert sample.mean == tuple(config["mean"])
        assert sample.std == tuple(config["std"])
        with Image.open(images / sample.id) as picture:
            pixels = timm.data.create_transform(**config)(picture.convert("RGB"))
        np.testing.assert_allclose(sample.image, pixels.numpy(), atol=1e-6)


@pytest.mark.torchvision
@pytest.mark.parametrize("library", ["timm", "torchvision"])
def test_a_wrong_name_is_told_with_those_that_are_near(
    library: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(library)
    arguments = ["--images", str(pictures(tmp_path)), "--logdir", str(tmp_path / "runs")]
    assert main(["scan", "--model", f"{library}:resnet_18", *arguments]) == 2
    assert "resnet18" in capsys.readouterr().err


@pytest.mark.parametrize("library", ["timm", "torchvision", "hf"])
def test_a_library_that_is_missing_is_told(
    library: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    package = "transformers" if library == "hf" else library
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    arguments = ["--images", str(pictures(tmp_path)), "--logdir", str(tmp_path / "runs")]
    assert main(["scan", "--model", f"{library}:some", *arguments]) == 2
    assert f"run: pip install {package}" in capsys.readouterr().err
