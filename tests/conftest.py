"""Fixtures for every test. Real servers start when a test first asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.provision.tools import Tool, find_chromium
from tests import services


@pytest.fixture(scope="session")
def mariadb_url() -> Iterator[str]:
    """DATABASE_URL of a MariaDB of this test session."""
    with services.mariadb() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """REDIS_URL of a Redis of this test session."""
    with services.redis() as url:
        yield url


@pytest.fixture(scope="session")
def rtmp_server() -> Iterator[services.RtmpServer]:
    """nginx-rtmp; use a stream key of your own, it is shared."""
    with services.rtmp_server() as server:
        yield server


@pytest.fixture(scope="session")
def turn_server() -> Iterator[services.TurnServer]:
    """coturn that relays on loopback."""
    with services.turn_server() as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Tool:
    """The browser for Playwright: executable, arguments and environment."""
    return find_chromium()


# Who may do what, and how a text is refused, is decided before a row is asked for: what these ask
# of a database is asked by the tests of the services too.
ONE_DATABASE = (
    "permissions/",
    "security/test_browser_doors",
    "security/test_token_forgery",
    "security/test_uploads",
    "test_permission_matrix",
    "test_foreign_ids",
    "livestudio/test_admin",
    "livestudio/test_api_form",
    "livestudio/test_doctor",
    "livestudio/test_pages",
    "streams/test_dashboard_pages",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that touch the database: they run again on MariaDB with Redis."""
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        touches = item.get_closest_marker("django_db") or "db" in getattr(item, "fixturenames", ())
        if touches and not name.startswith(ONE_DATABASE):
            item.add_marker("database")
