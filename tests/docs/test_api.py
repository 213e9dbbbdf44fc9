"""``docs/api.md`` has every public name, with its parameters, defaults and errors."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest
from torch import nn

import tb_gradascent
from tb_gradascent import (
    Ascent,
    GradAscentHook,
    Morph,
    Notice,
    Sample,
    Target,
    hook,
    ignite,
    lightning,
    transformers,
)
from tb_gradascent.functional import criteria
from testing.documented import sections, table
from testing.paths import ROOT

PAGE = ROOT / "docs" / "api.md"
SECTIONS = {heading.strip("`"): text for heading, text in sections(PAGE).items()}

ADAPTERS = {
    "lightning.GradAscentCallback": lightning.GradAscentCallback,
    "transformers.GradAscentCallback": transformers.GradAscentCallback,
    "ignite.GradAscentHandler": ignite.GradAscentHandler,
}
RECORDS = {
    "Sample": Sample,
    "Target": Target,
    "Morph": Morph,
    "Stats": hook.Stats,
    "Notice": Notice,
}


def public_methods(kind: type) -> dict[str, Any]:
    """The methods, properties and class methods of a class that are no base class's."""
    inherited = {name for base in kind.__mro__[1:] for name in vars(base)}
    inherited |= {field.name for field in dataclasses.fields(kind)} if is_dataclass(kind) else set()
    return {
        name: value
        for name, value in vars(kind).items()
        if name == "__call__" or not (name.startswith("_") or name in inherited)
    }


def callables() -> dict[str, Callable[..., Any]]:
    """Every public class and function that takes parameters, by its heading."""
    names = [name for name in tb_gradascent.__all__ if name not in {"__version__", *RECORDS}]
    found: dict[str, Any] = {name: getattr(tb_gradascent, name) for name in names} | ADAPTERS
    for owner, kind in [*found.items()]:
        # What a criterion is called with is the same for all of them.
        if inspect.isclass(kind) and not hasattr(criteria, owner):
            for name, value in public_methods(kind).items():
                if inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)):
                    found[f"{owner}.{name}"] = getattr(kind, name)
    return found


CALLABLES = callables()


def test_the_walk_finds_what_there_is() -> None:
    """A walk that finds nothing would pass every test below."""
    expected = {"GradAscentHook.scan", "read_samples", "Entropy", "ignite.GradAscentHandler.attach"}
    assert expected <= CALLABLES.keys()
    assert len(CALLABLES) == 27


def test_every_public_name_is_on_the_page() -> None:
    for name in tb_gradascent.__all__:
        assert name in SECTIONS or f"`{name}`" in PAGE.read_text(encoding="utf-8"), name


@pytest.mark.parametrize("name", CALLABLES)
def test_a_row_for_each_parameter_with_its_default(name: str) -> None:
    rows = table(SECTIONS[name], "parameter")
    parameters = inspect.signature(CALLABLES[name]).parameters
    of_hook = inspect.signature(GradAscentHook).parameters.keys() - {"model", "log"}
    taken = {
        "**" * (parameter.kind is parameter.VAR_KEYWORD) + own: parameter
        for own, parameter in parameters.items()
        # An adapter may name the hook's options in its signature. They have a table of their own.
        if own != "self" and not (name in ADAPTERS and own in of_hook)
    }
    assert [row.strip("`") for row in rows] == list(taken)
    for (default, meaning), parameter in zip(rows.values(), taken.values(), strict=True):
        assert meaning
        if parameter.kind is parameter.VAR_KEYWORD:
            assert default == "none"
        elif parameter.default is inspect.Parameter.empty:
            assert default == "required"
        else:
            scope = vars(criteria) | {"Ascent": Ascent}
            assert eval(default.strip("`"), scope) == parameter.default  # noqa: S307


@pytest.mark.parametrize("name", CALLABLES)
def test_the_errors_that_a_docstring_names_are_on_the_page(name: str) -> None:
    _, _, raises = (inspect.getdoc(CALLABLES[name]) or "").partition("Raises:\n")
    # The errors of all criteria are named once, above them.
    text = SECTIONS["Criteria"] + SECTIONS[name] if hasattr(criteria, name) else SECTIONS[name]
    for error in re.findall(r"^ +(\w+): ", raises, re.MULTILINE):
        assert f"`{error}`" in text


@pytest.mark.parametrize("name", RECORDS)
def test_a_row_for_each_attribute(name: str) -> None:
    kind: Any = RECORDS[name]
    rows = table(SECTIONS[name], "attribute")
    described = [own for cell in rows for own in re.findall(r"`(\w+)`", cell)]
    fields = [field.name for field in dataclasses.fields(kind)]
    computed = [own for own in public_methods(kind) if own not in fields]
    assert described == fields + computed


def test_properties_and_attributes_of_the_hook_have_a_section(tmp_path: Path) -> None:
    own = {name for name, value in public_methods(GradAscentHook).items() if not callable(value)}
    with GradAscentHook(nn.Flatten(), tmp_path) as made:
        own |= {name for name in vars(made) if not name.startswith("_")}
    assert own == {"stats", "capturing", "health"}
    for name in own:
        assert SECTIONS[f"GradAscentHook.{name}"].strip()


@pytest.mark.parametrize("name", ADAPTERS)
def test_the_hook_of_an_adapter_is_on_the_page(name: str) -> None:
    assert list(table(SECTIONS[name], "attribute")) == ["`hook`"]
