"""Adapters whose framework is not installed, or not completely."""

from __future__ import annotations

import subprocess
import sys

import pytest

from testing.paths import ROOT

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


def errors(missing: set[str], adapters: list[str]) -> list[str]:
    """The errors of importing adapters in a Python without some packages."""
    code = BLOCKED.format(missing=missing, adapters=adapters)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_a_missing_framework_is_named_with_the_command_to_install_it() -> None:
    missing = {name for names in NEEDS.values() for name in names}
    assert errors(missing, list(NEEDS)) == [
        f"tb_gradascent.{adapter} needs {' or '.join(names)}, which is not installed: "
        f"pip install '.[{adapter}]' in a clone of tb_gradascent"
        for adapter, names in NEEDS.items()
    ]


@pytest.mark.slow
def test_a_framework_that_fails_to_import_raises_its_own_error() -> None:
    assert errors({"torchmetrics"}, ["lightning"]) == ["No module named 'torchmetrics'"]


def test_the_hook_itself_imports_no_framework() -> None:
    frameworks = {name for names in NEEDS.values() for name in names}
    code = f"""
import sys
from tb_gradascent import GradAscentHook
assert not {frameworks} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
