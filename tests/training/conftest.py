"""Fixtures that more than one file of this folder uses."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from testing.fork_server import ForkServer


@pytest.fixture(scope="session")
def programs() -> Iterator[ForkServer]:
    """Runs programs in processes of their own."""
    with ForkServer() as server:
        yield server
