"""The files that the page exports, made by Node.js and read by csv, numpy, zipfile and Python."""

from __future__ import annotations

import ast
import csv
import io
import json
import unicodedata
import zipfile
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from testing.node import node

pytestmark = pytest.mark.process

TEXT = st.text(max_size=12) | st.sampled_from(
    ["=1+1", "+a", "-a", "@a", "\ta", "\ra", 'a"b', "a,b"]
)
NASTY = [
    "",
    "plain",
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\n=x",
    "＝1+1",
    "a;=1+1",
    "a;b",
    "a\t@x",
    "a,=1",
    'say "hi", twice',
    "two\r\nlines",
    "☃",
    "𝔘𝔫𝔦",
    "\u202edetrevni",
    "\u2028",
    "back\\slash",
    '"; import os; "',
    "{x}",
    "\0",
]

GUARDED = {
    '=HYPERLINK("http://x")': '\'=HYPERLINK("http://x")',
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(A1)": "'@SUM(A1)",
    "\tx": "'\tx",
    "\rx": "'\rx",
    "\n=x": "'\n'=x",
    "＝1+1": "'＝1+1",
    "a;=1+1": "a;'=1+1",
    "a\t@x": "a\t'@x",
    "\0": "\N{REPLACEMENT CHARACTER}",
}
"""The texts that a spreadsheet might run, and the one at which some readers stop."""


def as_csv(rows: list[list[Any]]) -> str:
    """Return the rows as the page writes them."""
    code = """
        const { csvOf } = await import(`${process.cwd()}/export/csv.js`);
        out(Buffer.from(csvOf(input)));
    """
    return node(code, rows).decode()


def test_csv_is_read_back_by_pythons_reader() -> None:
    rows: list[list[Any]] = [
        ["name", "value"],
        *([text, place] for place, text in enumerate(NASTY)),
    ]
    read = list(csv.reader(io.StringIO(as_csv(rows), newline=""), strict=True))
    guarded = [GUARDED.get(text, text) for text in NASTY]
    assert read == [["name", "value"], *([text, str(n)] for n, text in enumerate(guarded))]


def test_no_text_is_a_formula_and_every_number_is_one() -> None:
    written = as_csv([[*NASTY, -1.5, 1e-7, 0, None, True]])
    (row,) = csv.reader(io.StringIO(written, newline=""))
    texts, numbers = row[: len(NASTY)], row[len(NASTY) :]
    signs = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")
    assert not any(text.startswith(signs) for text in texts)
    assert [float(number) for number in numbers[:3]] == [-1.5, 1e-7, 0]
    assert numbers[3:] == ["", "true"]


@settings(max_examples=15)
@given(st.lists(TEXT, min_size=1, max_size=30))
def test_python_reads_back_every_literal(texts: list[str]) -> None:
    code = """
        const { literal } = await import(`${process.cwd()}/export/snippet.js`);
        out(Buffer.from(JSON.stringify(input.map(literal))));
    """
    literals = json.loads(node(code, texts + NASTY))
    assert [ast.literal_eval(text) for text in literals] == texts + NASTY
    hidden = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs"}
    signs = set("".join(literals)) - {" "}
    assert not {sign for sign in signs if unicodedata.category(sign) in hidden}


@pytest.mark.parametrize("separator", [";", "\t"])
def test_no_text_is_a_formula_with_any_separator(separator: str) -> None:
    """With a decimal comma, spreadsheets split at semicolons and take quotes as text."""
    written = as_csv([["first", text, "last"] for text in NASTY])
    for row in csv.reader(written.splitlines(), delimiter=separator):
        assert not any(cell.startswith(("=", "+", "-", "@", "＝")) for cell in row), row


def test_file_names_are_safe() -> None:
    code = """
        const { fileName } = await import(`${process.cwd()}/export/file_name.js`);
        out(Buffer.from(JSON.stringify(input.map((word) => fileName([word, "tag"], "csv")))));
    """
    names = json.loads(node(code, [*NASTY, "../../etc/passwd", "a/b", "x" * 500, "con", ".hidden"]))
    for name in names:
        assert name.startswith("gradascent")
        assert name.endswith(".csv")
        assert len(name) < 80
        assert set(name.removesuffix(".csv")) <= set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"
        )


ARRAYS = """
    const npy = await import(`${process.cwd()}/export/npy.js`);
    const { float32Npy, float64Npy, int64Npy, boolNpy, textNpy } = npy;
    const { zipOf } = await import(`${process.cwd()}/export/zip.js`);
    const chunks = input.chunks.map((values) => Float32Array.from(values));
    const entries = {
        float32: float32Npy(input.shape, chunks),
        float64: float64Npy([input.floats.length], input.floats.map(Number)),
        int64: int64Npy([2, input.integers.length / 2], input.integers),
        bools: boolNpy(input.bools),
        texts: textNpy(input.texts),
        empty: float32Npy([0, 3, 4], []),
    };
    const named = Object.entries(entries).map(([name, parts]) => ({ name: `${name}.npy`, parts }));
    for (const part of zipOf(named)) out(part);
"""


def test_numpy_reads_every_kind_of_array_without_pickle() -> None:
    chunks = np.arange(24, dtype=np.float32).reshape(2, 12) / 7
    floats = ["0.1", "-Infinity", "NaN", "1e-300"]
    integers = [-1, 0, 2**53 - 1, -(2**53) + 1]
    texts = [text for text in NASTY if not text.endswith("\0")]
    value = {
        "chunks": chunks.tolist(),
        "shape": [2, 1, 3, 4],
        "floats": floats,
        "integers": integers,
        "bools": [True, False, True],
        "texts": texts,
    }
    data = node(ARRAYS, value)
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    loaded = np.load(io.BytesIO(data), allow_pickle=False)
    np.testing.assert_array_equal(loaded["float32"], chunks.reshape(2, 1, 3, 4))
    assert loaded["float32"].dtype == np.float32
    np.testing.assert_array_equal(loaded["float64"], [float(text) for text in floats])
    np.testing.assert_array_equal(loaded["int64"], np.reshape(integers, (2, 2)))
    assert loaded["int64"].dtype == np.int64
    assert loaded["bools"].tolist() == [True, False, True]
    assert loaded["texts"].tolist() == texts
    assert loaded["empty"].shape == (0, 3, 4)


@pytest.mark.parametrize("dimensions", [1, 5, 9, 14, 19])
def test_a_header_of_any_length_is_aligned(dimensions: int) -> None:
    """The values begin at a multiple of 64 bytes, as numpy's own do."""
    code = """
        const { float64Npy } = await import(`${process.cwd()}/export/npy.js`);
        for (const part of float64Npy(input, [1])) out(part);
    """
    data = node(code, [1] * dimensions)
    header = int.from_bytes(data[8:10], "little")
    assert (10 + header) % 64 == 0
    assert np.load(io.BytesIO(data), allow_pickle=False).item() == 1
