"""The loader sets two flags, and no value of a flag makes it raise."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from importlib import metadata
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard import program
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.core import core_plugin

from tb_gradascent.plugin.loader import GradAscentLoader


def configured(*arguments: str, **keywords: object) -> argparse.Namespace:
    """Return the flags after TensorBoard has parsed and fixed them."""
    tensorboard = program.TensorBoard([core_plugin.CorePluginLoader(), GradAscentLoader()])
    tensorboard.configure(["tensorboard", "--logdir", "x", *arguments], **keywords)
    assert isinstance(tensorboard.flags, argparse.Namespace)
    return tensorboard.flags


def test_every_capture_is_kept_and_every_file_followed() -> None:
    flags = configured()
    assert flags.samples_per_plugin == {"gradascent": 0}
    assert flags.reload_multifile is True


def test_flags_that_the_user_set_stay() -> None:
    flags = configured("--samples_per_plugin", "gradascent=7,images=3", "--reload_multifile=false")
    assert flags.samples_per_plugin == {"gradascent": 7, "images": 3}
    assert flags.reload_multifile is False


def test_other_plugins_samples_stay() -> None:
    flags = configured("--samples_per_plugin", "images=3")
    assert flags.samples_per_plugin == {"gradascent": 0, "images": 3}


def test_flags_given_from_python_are_not_changed_in_place() -> None:
    given = {"images": 3}
    flags = configured(samples_per_plugin=given)
    assert flags.samples_per_plugin == {"gradascent": 0, "images": 3}
    assert given == {"images": 3}


class Hostile(Mapping[str, int]):
    """A mapping whose every method raises."""

    def __getitem__(self, key: str) -> int:
        raise RuntimeError(key)

    def __iter__(self) -> Any:
        raise RuntimeError

    def __len__(self) -> int:
        raise RuntimeError


class ReadOnly:
    """An object that has no flags and accepts none."""

    __slots__ = ()


@pytest.mark.parametrize("samples", ["images=3", 7, ["images"], object(), Hostile()])
def test_flags_of_another_type_are_left_alone(samples: object) -> None:
    flags = SimpleNamespace(samples_per_plugin=samples, reload_multifile=None)
    GradAscentLoader().fix_flags(flags)
    assert flags.samples_per_plugin is samples
    assert flags.reload_multifile is True


@pytest.mark.parametrize("flags", [ReadOnly(), None, 7, object()])
def test_flags_that_take_no_value_are_left_alone(flags: object) -> None:
    GradAscentLoader().fix_flags(flags)


@pytest.mark.parametrize("samples", [None, "", {}])
def test_without_samples_per_plugin_all_captures_are_kept(samples: object) -> None:
    flags = SimpleNamespace(samples_per_plugin=samples)
    GradAscentLoader().fix_flags(flags)
    assert flags.samples_per_plugin == {"gradascent": 0}


def test_without_a_data_provider_there_is_no_plugin() -> None:
    assert GradAscentLoader().load(TBContext()) is None


def test_tensorboard_finds_the_loader() -> None:
    (entry,) = metadata.entry_points(group="tensorboard_plugins", name="gradascent")
    assert entry.load() is GradAscentLoader
