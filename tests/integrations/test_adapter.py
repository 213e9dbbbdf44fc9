"""Adapters whose framework is not installed, or not completely."""

from __future__ import annotations

import pytest

from testing.fork_server import ForkServer

pytestmark = pytest.mark.process

NEEDS = {
    "lightning": ("lightning", "pytorch_lightning"),
    "transformers": ("transformers",),
    "ignite": ("ignite",),
    "fastai": ("fastai",),
    "monai": ("monai",),
}
"""The modules of each adapter's framework; one must be installed. The keys are our extras."""

BLOCKED = """
import importlib, sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {missing}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
for adapter in {adapters}:
    try:
        importlib.import_module(f"tb_gradascent.{{adapter}}")
    except ModuleNotFoundError as error:
        print(error)
"""


def errors(programs: ForkServer, missing: set[str], adapters: list[str]) -> list[str]:
    """The errors of importing adapters in a Python without some packages."""
    done = programs.run(BLOCKED.format(missing=missing, adapters=adapters))
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_missing_framework_is_named_with_the_command_to_install_it(
    programs: ForkServer,
) -> None:
    missing = {name for names in NEEDS.values() for name in names}
    assert errors(programs, missing, list(NEEDS)) == [
        f"tb_gradascent.{adapter} needs {' or '.join(names)}, which is not installed: "
        f"pip install '.[{adapter}]' in a clone of tb_gradascent"
        for adapter, names in NEEDS.items()
    ]


@pytest.mark.slow
def test_a_framework_that_fails_to_import_raises_its_own_error(programs: ForkServer) -> None:
    assert errors(programs, {"torchmetrics"}, ["lightning"]) == ["No module named 'torchmetrics'"]


def test_the_hook_itself_imports_no_framework(programs: ForkServer) -> None:
    frameworks = {name for names in NEEDS.values() for name in names}
    code = f"""
import sys
from tb_gradascent import GradAscentHook
assert not {frameworks} & set(sys.modules)
"""
    done = programs.run(code)
    assert done.returncode == 0, done.stderr
