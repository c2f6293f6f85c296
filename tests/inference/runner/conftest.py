from __future__ import annotations

import pytest

from tests.inference.runner.passing_time import Time


@pytest.fixture
def time() -> Time:
    return Time()
