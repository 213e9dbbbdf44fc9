"""Frameworks that are not installed, or not whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEEDS = {
    "lightning": ("lightning", "pytorch_lightning"),
    "transformers": ("transformers",),
    "ignite": ("ignite",),
}
"""What each adapter, named like its extra in setup.py, imports one of."""

BLOCKED = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
import tb_gradascent.{adapter}
"""


def error_of(code: str) -> str:
    """The last line that a Python process prints as it fails."""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize("adapter", NEEDS)
def test_a_missing_framework_is_named_with_what_to_install(adapter: str) -> None:
    code = BLOCKED.format(names=set(NEEDS[adapter]), adapter=adapter)
    assert error_of(code) == (
        f"ModuleNotFoundError: tb_gradascent.{adapter} needs {' or '.join(NEEDS[adapter])}, which "
        f"is not installed: pip install 'tensorboard-plugin-gradascent[{adapter}]'"
    )


def test_what_a_framework_itself_lacks_is_its_own_error() -> None:
    code = BLOCKED.format(names={"torchmetrics"}, adapter="lightning")
    assert error_of(code) == "ModuleNotFoundError: No module named 'torchmetrics'"


def test_the_package_alone_imports_no_framework() -> None:
    frameworks = {name for names in NEEDS.values() for name in names}
    code = (
        "import sys, tb_gradascent; tb_gradascent.GradAscentHook;"
        f"assert not {frameworks} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
