"""One installation for all live tests that leave it whole, and one browser per module."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from benchmarks.platform import Platform
from scripts.provision.tools import Tool
from tests.live.studio import Studio, open_studio
from tests.live.viewing import open_browser

# Five seconds by itself: a page of a busy machine needs longer.
expect.set_options(timeout=120_000)


class Lender:
    """Lends one installation to one module after the other; another one if it was left broken."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._lent: Studio | None = None

    def lend(self) -> Studio:
        """Whole, nothing on air, and signed in as a customer who owns nothing yet."""
        if self._lent is None or not self._lent.is_as_new():
            self.close()
            self._lent = self._stack.enter_context(open_studio())
            return self._lent
        platform = Platform(self._lent.site.base_url)
        platform.register()
        return Studio(self._lent.site, self._lent.up, platform)

    def close(self) -> None:
        self._lent = None
        self._stack.close()


@pytest.fixture(scope="session")
def lender() -> Iterator[Lender]:
    lender = Lender()
    yield lender
    lender.close()


@pytest.fixture(scope="module")
def studio(lender: Lender) -> Studio:
    """`manage.py up` with test engines and a signed-in customer.

    Other modules use it too: a test that changes it for all customers opens one of its own.
    """
    return lender.lend()


@pytest.fixture(scope="module")
def browser(chromium: Tool) -> Iterator[Browser]:
    """Headless Chromium."""
    with open_browser(chromium) as browser:
        yield browser
