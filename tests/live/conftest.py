"""One installation and one browser per module of live tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from scripts.provision.tools import Tool
from tests.live.studio import Studio, open_studio
from tests.live.viewing import open_browser


@pytest.fixture(scope="module")
def studio() -> Iterator[Studio]:
    """`manage.py up` with test engines and a signed-in customer."""
    with open_studio() as studio:
        yield studio


@pytest.fixture(scope="module")
def browser(chromium: Tool) -> Iterator[Browser]:
    """Headless Chromium."""
    with open_browser(chromium) as browser:
        yield browser
