"""Run a module of the page in Node.js, which Playwright brings along."""

from __future__ import annotations

import json
import subprocess

import pytest

from testing.paths import ROOT


def node(code: str, value: object) -> bytes:
    """Run a module that gets ``value`` as ``input``; return the bytes that it writes to ``out``."""
    driver = pytest.importorskip("playwright._impl._driver")
    executable, _ = driver.compute_driver_executable()
    module = f"""
        import {{ readFileSync, writeSync }} from "node:fs";
        const input = JSON.parse(readFileSync(0, "utf-8"));
        const out = (bytes) => {{
            for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
        }};
        {code}
    """
    outcome = subprocess.run(
        [executable, "--input-type=module", "-e", module],
        input=json.dumps(value).encode(),
        capture_output=True,
        timeout=300,
        check=False,
        cwd=ROOT / "frontend",
    )
    assert outcome.returncode == 0, outcome.stderr.decode()
    return outcome.stdout
