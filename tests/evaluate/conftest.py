"""The packaged sample of motion capture."""

from __future__ import annotations

import pytest

from zedo_core.data import Samples
from zedo_core.evaluate import EvalRequest
from zedo_core.evaluate.samples import samples_of


@pytest.fixture(scope="session")
def samples() -> Samples:
    return samples_of(EvalRequest())
