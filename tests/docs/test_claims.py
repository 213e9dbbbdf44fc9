"""What README and SECURITY promise has tests, and the limits that they name are the code's."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable

import pytest

from tb_gradascent.format import event_file, metadata
from tb_gradascent.plugin import sample_store, series
from testing.documented import table
from testing.paths import ROOT


def read(name: str) -> str:
    """Return a file of the project's root."""
    return (ROOT / name).read_text(encoding="utf-8")


def plain(text: str) -> str:
    """Return a text without its line breaks and its marks of emphasis."""
    return " ".join(text.replace("*", "").split())


CLAIMS = table(read("CONTRIBUTING.md"), "the README says")
GUARANTEES = table(read("SECURITY.md"), "guarantee")
FIGURES = table(read("SECURITY.md"), "claim")


def commands(rows: Iterable[list[str]]) -> list[str]:
    return [text for row in rows for text in re.findall(r"`([^`]+)`", row[-1])]


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_readme_makes_the_claim(claim: str) -> None:
    assert plain(claim) in plain(read("README.md"))


def test_each_claim_has_tests_that_exist() -> None:
    named = commands([*CLAIMS.values(), *GUARANTEES.values(), *FIGURES.values()])
    assert len(CLAIMS) >= 20
    assert len(GUARANTEES) >= 10
    assert len(FIGURES) >= 10
    for command in named:
        paths = re.findall(r"tests/[\w/.]+", command)
        modules = re.findall(r"python -m (\S+)", command)
        assert paths or modules or command in ("make fuzz",) or command.startswith("--"), command
        for path in paths:
            assert (ROOT / path).exists(), command
        for module in modules:
            assert importlib.util.find_spec(module), command
        (chosen,) = re.findall(r"-k (\w+)", command) or [""]
        if chosen:
            (path,) = paths
            assert re.search(rf"def test_\w*{chosen}", (ROOT / path).read_text(encoding="utf-8"))


def test_the_limits_are_those_of_the_code() -> None:
    limits = {what: cells[0] for what, cells in table(read("SECURITY.md"), "").items()}
    kib, mib = 1 << 10, 1 << 20
    expected = {
        "a record": f"{metadata.MAX_RECORD_BYTES // kib} KiB of JSON",
        "a session's constants": f"{metadata.MAX_SESSION_INFO_BYTES // mib} MiB of JSON",
        "a payload": f"{metadata.MAX_PAYLOAD_BYTES // mib} MiB inflated",
        "an id, a tag, a class name": f"{metadata.MAX_NAME_LENGTH} characters",
        "the lists of a record": (
            f"{metadata.MAX_TARGETS} targets, {metadata.MAX_MORPHS} morphs of each, "
            f"{metadata.MAX_JUDGES} judges, {metadata.MAX_LISTED_CLASSES} classes, "
            f"{metadata.MAX_STRENGTHS} strengths from 0 to {metadata.MAX_STRENGTH}"
        ),
        "an event that `read_samples` reads, one at a time": (
            f"{event_file.MAX_EVENT_BYTES >> 30} GiB"
        ),
        "the records of one run and tag in TensorBoard's process": (
            f"{series.MAX_SERIES_BYTES // mib} MiB"
        ),
        "the sessions of one run and tag as JSON": f"{series.MAX_INDEX_BYTES // mib} MiB",
        "the cache for all runs together": f"{sample_store.CACHE_BYTES // mib} MiB",
        "a request": (
            f"64 KB, {sample_store.MAX_PAYLOADS} samples or ranges, {sample_store.MAX_RUNS} runs"
        ),
        "the samples of one capture": f"{metadata.MAX_RECORDS_A_CAPTURE:,}",
        "an answer with arrays": f"{sample_store.MAX_ANSWER_BYTES // mib} MiB",
    }
    for what, limit in expected.items():
        assert limits[what].startswith(limit), what
    assert sample_store.MAX_RANGES == sample_store.MAX_PAYLOADS


def test_nothing_in_the_description_breaks_on_an_index() -> None:
    """There it has no files beside it: no picture, no relative link."""
    text = read("DESCRIPTION.md")
    assert "![" not in text
    assert "<img" not in text
    assert all(link.startswith("https://") for link in re.findall(r"\]\(([^)]+)\)", text))
    assert 'long_description=(HERE / "DESCRIPTION.md")' in read("setup.py")
