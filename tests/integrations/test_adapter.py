"""Frameworks that are not installed, or not whole."""

from __future__ import annotations

import subprocess
import sys

from testing.paths import ROOT

NEEDS = {
    "lightning": ("lightning", "pytorch_lightning"),
    "transformers": ("transformers",),
    "ignite": ("ignite",),
}
"""What each adapter, named like its extra in setup.py, imports one of."""

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
    """What importing adapters raises in a Python without some packages."""
    code = BLOCKED.format(missing=missing, adapters=adapters)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_a_missing_framework_is_named_with_what_to_install() -> None:
    missing = {name for names in NEEDS.values() for name in names}
    assert errors(missing, list(NEEDS)) == [
        f"tb_gradascent.{adapter} needs {' or '.join(names)}, which is not installed: "
        f"pip install 'tensorboard-plugin-gradascent[{adapter}]'"
        for adapter, names in NEEDS.items()
    ]


def test_what_a_framework_itself_lacks_is_its_own_error() -> None:
    assert errors({"torchmetrics"}, ["lightning"]) == ["No module named 'torchmetrics'"]


def test_the_hook_alone_imports_no_framework() -> None:
    frameworks = {name for names in NEEDS.values() for name in names}
    code = (
        "import sys, tb_gradascent; tb_gradascent.GradAscentHook;"
        f"assert not {frameworks} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
