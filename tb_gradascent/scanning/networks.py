"""The network that a command names: where its code, weights and preprocessing come from."""

from __future__ import annotations

import dataclasses
import difflib
import importlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from tb_gradascent.functional.validation import describe
from tb_gradascent.scanning.errors import CommandError
from tb_gradascent.scanning.picture_folder import Preprocess, preprocessed
from tb_gradascent.training.known import know_model

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclasses.dataclass(frozen=True)
class Network:
    """A classifier, and what its library says of it.

    Attributes:
        model: In eval mode.
        preprocess: Makes its inputs; ``None`` if no library says how.
        channels: How many channels a picture has for it: 1, or 3 for colour.
        class_names: The name of class 0, 1, …; ``None`` if no library names them.
        class_codes: Other names of the classes; empty if there are none.
    """

    model: nn.Module
    preprocess: Preprocess | None = None
    channels: int = 3
    class_names: tuple[str, ...] | None = None
    class_codes: tuple[str, ...] = ()


def load_network(source: str, weights: Path | None) -> Network:
    """Return the network that ``--model`` names, with the weights of a file or of its library.

    Args:
        source: ``module:function``, ``timm:NAME``, ``torchvision:NAME`` or ``hf:NAME``.
        weights: A file of weights. Without one, a library loads its own pretrained weights, and a
            function's model stays as it is.

    Raises:
        CommandError: The network or the weights cannot be loaded.
    """
    library, colon, name = source.partition(":")
    if not (library and colon and name):
        raise CommandError(
            "--model must be module:function, timm:NAME, torchvision:NAME or hf:NAME, got "
            f"{source!r}"
        )
    state = None if weights is None else read_weights(weights)
    make = {"timm": _from_timm, "torchvision": _from_torchvision, "hf": _from_hub}.get(library)
    network = _from_function(source, state) if make is None else make(name, state)
    network.model.eval().requires_grad_(False)
    return network


def import_object(source: str, option: str) -> object:
    """Return the object that ``module:name`` names.

    Raises:
        CommandError: There is no such module, or no such name in it.
    """
    path, _, name = source.partition(":")
    try:
        found: Any = importlib.import_module(path)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{path}.".startswith(f"{error.name}."):
            raise  # the module is there, and misses another one
        hint = "Run the command in the folder that holds the module, or set PYTHONPATH"
        if path.endswith(".py"):
            hint = f"Write {path.removesuffix('.py').replace('/', '.')}:{name}"
        raise CommandError(
            f"{option} must name a module that Python finds, got {source!r}: {error}. {hint}"
        ) from error
    for part in name.split("."):
        if not hasattr(found, part):
            own = [other for other in vars(found) if not other.startswith("_")]
            near = difflib.get_close_matches(part, own)
            hint = f": did you mean {' or '.join(near)}?" if near else ""
            raise CommandError(f"{option} must name a part of {path}, got {name!r}{hint}")
        found = getattr(found, part)
    return found


def _from_function(source: str, state: Mapping[str, Tensor] | None) -> Network:
    made = import_object(source, "--model")
    if not isinstance(made, nn.Module):
        if not callable(made):
            raise CommandError(
                "--model must name a function that makes a torch.nn.Module, got "
                f"{describe(made)}, {source}"
            )
        needed = [
            name
            for name, parameter in inspect.signature(made).parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
        if needed:
            raise CommandError(
                f"--model must name a function without required arguments, got {source} with "
                f"{', '.join(needed)}: write a function that calls it"
            )
        made = made()
    if not isinstance(made, nn.Module):
        raise CommandError(
            f"--model must name a function that returns a torch.nn.Module, got {source} that "
            f"returns {describe(made)}"
        )
    if state is not None:
        _load_state(made, state)
    layers = (module for module in made.modules() if isinstance(module, nn.modules.conv._ConvNd))
    first = next(layers, None)
    return Network(made, channels=1 if first is not None and first.in_channels == 1 else 3)


def _from_torchvision(name: str, state: Mapping[str, Tensor] | None) -> Network:
    models: Any = _import_library("torchvision", "torchvision.models")
    known = models.list_models(module=models)
    if name not in known:
        _refuse_name("torchvision", name, known)
    weights = models.get_model_weights(name).DEFAULT

    def make(classes: int | None) -> nn.Module:
        own = {} if classes is None else {"num_classes": classes}
        made: nn.Module = models.get_model(name, weights=weights if state is None else None, **own)
        return made

    model, is_original = _with_weights(make, state)
    names = tuple(weights.meta["categories"]) if is_original else None
    return Network(model, weights.transforms(), class_names=names)


def _from_timm(name: str, state: Mapping[str, Tensor] | None) -> Network:
    timm: Any = _import_library("timm", "timm")
    data: Any = importlib.import_module("timm.data")
    if not timm.is_model(name):
        _refuse_name("timm", name, timm.list_models())

    def make(classes: int | None) -> nn.Module:
        own = {} if classes is None else {"num_classes": classes}
        made: nn.Module = timm.create_model(name, pretrained=state is None, **own)
        return made

    model, is_original = _with_weights(make, state)
    config = data.resolve_model_data_config(model)
    names, codes = _names_of_timm(data, model) if is_original else (None, ())
    transform = data.create_transform(**config, is_training=False)
    return Network(model, transform, config["input_size"][0], names, codes)


def _names_of_timm(data: Any, model: Any) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The names and WordNet's codes of the classes, if the network has those of ImageNet."""
    subset = data.infer_imagenet_subset(model)
    if not subset:
        return _configured_names(model), ()
    info = data.ImageNetInfo(subset)
    classes = range(info.num_classes())
    return (
        tuple(info.index_to_description(index) for index in classes),
        tuple(info.index_to_label_name(index) for index in classes),
    )


def _from_hub(name: str, state: Mapping[str, Tensor] | None) -> Network:
    transformers: Any = _import_library("hf", "transformers")
    try:
        model = transformers.AutoModelForImageClassification.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise CommandError(
            f"--model must name an image classifier of the Hugging Face hub or a folder with one, "
            f"got 'hf:{name}': {_first_line(error)}"
        ) from error
    try:
        processor = transformers.AutoImageProcessor.from_pretrained(name)
    except (OSError, ValueError) as error:
        raise CommandError(
            f"--model must have an image processor beside its weights, got 'hf:{name}' without "
            "preprocessor_config.json: save the processor there with its save_pretrained"
        ) from error
    if state is not None:
        _load_state(model, state)

    def preprocess(picture: Image) -> Tensor:
        tensor: Tensor = processor(picture, return_tensors="pt")["pixel_values"][0]
        return tensor

    channels = getattr(model.config, "num_channels", 3)
    return Network(model, preprocess, channels, _configured_names(model))


def _configured_names(model: nn.Module) -> tuple[str, ...] | None:
    """The names of the classes in a model's configuration, if it has some."""
    found = know_model(model).class_names
    return None if found is None else found.names


def _import_library(library: str, module: str) -> object:
    """Import a library that the package does not need otherwise.

    Raises:
        CommandError: It cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except Exception as error:  # a torchvision that was built for another torch raises any error
        package = module.partition(".")[0]
        raise CommandError(
            f"--model {library}:NAME needs {package} beside the installed torch; run: pip install "
            f"{package}   ({type(error).__name__}: {error})"
        ) from error


def _refuse_name(library: str, name: str, known: Sequence[str]) -> NoReturn:
    near = difflib.get_close_matches(name, known)
    hint = f"did you mean {', '.join(near)}?" if near else "its documentation lists them"
    raise CommandError(f"--model must name a model of {library}, got {name!r}: {hint}")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint, by name. Nothing in the file is executed.

    A training's checkpoint may hold them as ``state_dict``, ``model``, ``model_state_dict`` or
    ``weights``.

    Raises:
        CommandError: The file cannot be read, needs code to be read, or holds no tensors by name.
    """
    if not path.is_file():
        raise CommandError(f"--weights must be a file, got {str(path)!r}")
    try:
        if path.suffix == ".safetensors":
            loaded: Any = _import_library("safetensors", "safetensors.torch").load_file(path)  # type: ignore[attr-defined]
        else:
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CommandError(
            "--weights must be a file of tensors that torch.load(…, weights_only=True) reads, got "
            f"{str(path)!r}: {_first_line(error)} Save it with torch.save(model.state_dict(), …)"
        ) from error
    for name in ("state_dict", "model", "model_state_dict", "weights"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping):
            loaded = loaded[name]
            break
    tensors = loaded if isinstance(loaded, Mapping) else {}
    state = {str(name): value for name, value in tensors.items() if isinstance(value, Tensor)}
    if not state:
        found = f"the keys {', '.join(map(repr, [*tensors][:5]))}" if tensors else describe(loaded)
        raise CommandError(
            f"--weights must hold tensors by name, got {str(path)!r} with {found}: save it with "
            "torch.save(model.state_dict(), …)"
        )
    return state


def _with_weights(
    make: Callable[[int | None], nn.Module], state: Mapping[str, Tensor] | None
) -> tuple[nn.Module, bool]:
    """Make a model for the weights, and load them.

    Args:
        make: Makes the model for a number of classes, ``None`` for the usual one.
        state: The weights; ``None`` if the model has them already.

    Returns:
        The model, and whether its classes can be those of the library's own weights.
    """
    model = make(None)
    if state is None:
        return model, True
    classes = _other_number_of_classes(model, state)
    if classes is not None:
        model = make(classes)
    _load_state(model, state)
    return model, classes is None


def _other_number_of_classes(model: nn.Module, state: Mapping[str, Tensor]) -> int | None:
    """Return the number of classes of the weights, if they differ from a model in nothing else."""
    own = model.state_dict()
    given = _renamed(state, own)
    shapes = {
        (tuple(own[name].shape[:1]), tuple(given[name].shape[:1]))
        for name in own.keys() & given.keys()
        if own[name].shape != given[name].shape and own[name].shape[1:] == given[name].shape[1:]
    }
    if len(shapes) != 1:
        return None
    ((_, found),) = shapes
    return int(found[0])


def _renamed(state: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """The weights without the prefix that a wrapper gave their names, such as ``module.``."""
    first = next(iter(own), "")
    for name in state:
        prefix = name.removesuffix(first)
        if name != prefix and all(prefix + other in state for other in own):
            return {other: state[prefix + other] for other in own}
    return state


def _load_state(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Load weights into a model; each tensor must have its place.

    Raises:
        CommandError: Names or shapes differ.
    """
    own = model.state_dict()
    given = _renamed(state, own)
    missing = [name for name in own if name not in given]
    unexpected = [name for name in given if name not in own]
    differing = [
        f"{name} has the shape {tuple(given[name].shape)} and needs {tuple(own[name].shape)}"
        for name in own
        if name in given and given[name].shape != own[name].shape
    ]
    if missing or unexpected or differing:
        parts = (("missing", missing), ("unknown", unexpected), ("of another shape", differing))
        told = [
            f"{len(names)} {what} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
            for what, names in parts
            if names
        ]
        raise CommandError(
            f"--weights must fit the model, got {len(given)} tensors for its {len(own)}: "
            f"{'; '.join(told)}. Give the model that they were saved from"
        )
    model.load_state_dict(dict(given))


@dataclasses.dataclass(frozen=True)
class ScaleAndCrop:
    """Scales a picture until it covers a size, crops its centre, and normalises it.

    Attributes:
        size: Height and width; ``None`` leaves the picture as it is.
        mean, std: One number for each channel, or one for all. Pixels are from 0 to 1 before.
    """

    size: tuple[int, int] | None
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, picture: Image) -> Tensor:
        """Return the model's input, float32, shape (channels, height, width)."""
        from PIL import Image

        if self.size is not None and (picture.height, picture.width) != self.size:
            height, width = self.size
            scale = max(height / picture.height, width / picture.width)
            tall = max(round(picture.height * scale), height)
            wide = max(round(picture.width * scale), width)
            picture = picture.resize((wide, tall), Image.Resampling.BILINEAR)
            left, top = (wide - width) // 2, (tall - height) // 2
            picture = picture.crop((left, top, left + width, top + height))
        pixels = np.asarray(picture, np.float32) / 255
        tensor = torch.from_numpy(pixels.reshape(picture.height, picture.width, -1))
        normalised = (tensor - torch.tensor(self.mean)) / torch.tensor(self.std)
        return normalised.permute(2, 0, 1).contiguous()


@dataclasses.dataclass(frozen=True)
class Scale:
    """What a preprocessing does to the values of pixels.

    Attributes:
        mean, std: One number for each channel: ``input * std + mean`` is a pixel from 0 to 1.
        black, white: The inputs for these two colours, one number for each channel.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    black: tuple[float, ...]
    white: tuple[float, ...]


def measure_scale(preprocess: Preprocess, size: tuple[int, int], channels: int) -> Scale | None:
    """Ask a preprocessing for black, grey and white, and derive its mean and std.

    Args:
        preprocess: Is called with three pictures of one colour each.
        size: Their width and height.
        channels: Of the pictures, 1 or 3.

    Returns:
        ``None`` if the values are not those of one straight line for each channel, for example
        because the preprocessing pads pictures, or draws random numbers.
    """
    from PIL import Image

    levels = []
    for level in (0, 102, 255):
        colour: int | tuple[int, ...] = level if channels == 1 else (level,) * 3
        picture = Image.new("L" if channels == 1 else "RGB", size, colour)
        values = preprocessed(preprocess, picture).double().flatten(1)
        low, high = values.amin(1), values.amax(1)
        if not torch.allclose(low, high, atol=1e-4):
            return None
        levels.append((low + high) / 2)
    black, grey, white = levels
    if not bool(((white - black) > 1e-6).all()):
        return None
    if not torch.allclose(grey, black + (white - black) * 0.4, atol=1e-3):
        return None
    std = 1 / (white - black)
    mean = -black * std
    return Scale(
        tuple(round(value, 6) for value in mean.tolist()),
        tuple(round(value, 6) for value in std.tolist()),
        tuple(black.tolist()),
        tuple(white.tolist()),
    )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".") + "."
