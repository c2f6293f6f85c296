"""Fixtures for every test. Real servers start when a test first asks for them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import time_machine
from django.utils import timezone
from hypothesis import HealthCheck, settings

from scripts.provision.tools import Tool, find_chromium
from tests import services, steady

# A slow machine is no fault of what is tested, and the same examples are tried on each.
settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture
def still_clock() -> Iterator[time_machine.Traveller]:
    """Time of day that stands still: what is counted by the minute falls into one minute."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured again is told, whatever came of it."""
    for line in steady.REPEATED:
        terminalreporter.write_line(f"REPEATED {line}", yellow=True)


# Who may do what, and how a text is refused, is decided before a row is asked for: what these ask
# of a database is asked by the tests of the services too.
ONE_DATABASE = (
    "permissions/",
    "security/test_browser_doors",
    "security/test_token_forgery",
    "security/test_uploads",
    "test_permission_matrix",
    "livestudio/test_admin",
    "livestudio/test_api_form",
    "livestudio/test_doctor",
    "livestudio/test_pages",
    "streams/test_dashboard_pages",
)


# No service and no message of the link runs here: tracing only makes them a third slower.
NOT_COUNTED = tuple(
    f"inference/{name}/"
    for name in ("face", "gpu", "media", "outputs", "speech", "text", "workers")
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that touch the database: they run again on MariaDB with Redis."""
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        if name.startswith(NOT_COUNTED):
            item.add_marker("no_cover")
        touches = item.get_closest_marker("django_db") or "db" in getattr(item, "fixturenames", ())
        if touches and not name.startswith(ONE_DATABASE):
            item.add_marker("database")
