"""Models whose forward pass waits for other processes, in a job of two that ``torchrun`` starts.

``launch`` ends the processes after a timeout, should they wait for each other.
"""

from __future__ import annotations

import pytest

from testing.torchrun import PASSED, launch
from tests.training.collective_checks import CHECKS

pytestmark = [pytest.mark.slow, pytest.mark.process]


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return launch("tests.training.collective_checks", tmp_path_factory.mktemp("collectives"))


@pytest.mark.parametrize("check", [check.__name__ for check in CHECKS])
def test_no_rank_waits_for_another(outcomes: dict[str, list[str]], check: str) -> None:
    assert outcomes.get(check) == [PASSED, PASSED], outcomes
