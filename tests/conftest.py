"""Fixtures for every test. Real servers start when a test first asks for them."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import time_machine
from django.utils import timezone
from hypothesis import HealthCheck, settings

from inference import background, tool_client
from scripts.provision.checks import NO_DATABASE
from scripts.provision.paths import ROOT
from scripts.provision.tools import Tool, find_chromium
from tests import services, steady

# A slow machine is no fault of what is tested, and the same examples are tried on each.
settings.register_profile(
    "tests", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("tests")


@pytest.fixture(scope="session", autouse=True)
def patient_tools() -> Iterator[None]:
    """Children of `run_tool` are given ten times as long: to load alone takes a busy machine."""
    run = tool_client._run
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tool_client, "_run", lambda name, asked, limit: run(name, asked, 10 * limit))
        yield


@pytest.fixture
def still_clock() -> Iterator[time_machine.Traveller]:
    """Time of day that stands still: what is counted by the minute falls into one minute."""
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        yield traveller


@pytest.fixture(scope="session", autouse=True)
def nothing_waits_behind() -> Iterator[None]:
    """Tests wait for what a show should not wait for, while other tests want all of the machine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(background, "NICE", 0)
        yield


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
    # Of builds test_builds asks; these bring torch, and half a minute.
    "avatars/test_bundle_archive",
    "permissions/",
    "security/test_browser_doors",
    "security/test_token_forgery",
    "security/test_uploads",
    "test_permission_matrix",
    "livestudio/test_admin",
    "livestudio/test_api_form",
    "livestudio/test_doctor",
    "livestudio/test_pages",
    # Drops a column, which MySQL does not take back with the test.
    "livestudio/test_upgrade_rules",
    "streams/test_dashboard_pages",
)


# The fixtures that give one: `transactional_db` does not ask for `db`.
DATABASES = {"db", "transactional_db"}


# What is judged must be covered by the tests of its own apps, none by chance. All that runs takes
# half as long again while it is traced: the other tests are spared that.
COUNTED = (
    "accounts/",
    "avatars/",
    "metering/",
    "streams/consumers/",
    "streams/services/",
    "voices/",
    "webhooks/",
)
COUNTED_DOORS = re.compile(r"streams/test_\w+_api\b")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A tier does not read the files that hold none of it: they bring torch and seconds.

    The live tier reads those that name its mark; that of MariaDB leaves ONE_DATABASE out, but for
    those that name the mark all the same.
    """
    if not collection_path.name.startswith("test_"):
        return None
    tier = config.option.markexpr
    if tier.startswith("live and "):
        return _lacks_mark(collection_path, "live") or None
    if tier.startswith("database and ") and _name_of(collection_path).startswith(ONE_DATABASE):
        return _lacks_mark(collection_path, "database") or None
    return None


def _lacks_mark(path: Path, mark: str) -> bool:
    return f"mark.{mark}" not in path.read_text()


def _name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix().removeprefix("tests/")


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """What is judged is imported while it is traced; the imports of the tests need not be."""
    if session.config.pluginmanager.has_plugin("_cov"):
        for name in judged_modules():
            importlib.import_module(name)
    with untraced(session.config):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Its fixtures too."""
    with nullcontext() if is_counted(item) else untraced(item.config):
        return (yield)


@contextmanager
def untraced(config: pytest.Config) -> Iterator[None]:
    """Without the tracer of `--cov`, but in pools of threads: those serve other tests too."""
    # Not `pause` of pytest-cov: in an xdist worker it gives way to a second tracer, which goes on.
    running = sys.gettrace()
    if running is None or not config.pluginmanager.has_plugin("_cov"):
        yield
        return
    sys.settrace(None)
    try:
        yield
    finally:
        sys.settrace(running)


def is_counted(item: pytest.Item) -> bool:
    """Whether what it covers counts."""
    name = item.nodeid.removeprefix("tests/")
    return name.startswith(COUNTED) or COUNTED_DOORS.match(name) is not None


def judged_modules() -> list[str]:
    """Services and the words of the link, as `include` of [tool.coverage.run] names them."""
    files = [*ROOT.glob("*/services.py"), *ROOT.glob("*/services/*.py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(files)]
    return [name for name in names if not name.startswith("tests.")] + ["inference.protocol"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that touch the database: they run again on MariaDB with Redis."""
    for item in items:
        name = item.nodeid.removeprefix("tests/")
        touches = item.get_closest_marker("django_db") or DATABASES & {*_fixtures_of(item)}
        if touches and not name.startswith(ONE_DATABASE):
            item.add_marker("database")
        _require_to_be_found(item)


def _fixtures_of(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


def _require_to_be_found(item: pytest.Item) -> None:
    """Raise UsageError for a test that its tier would not find where it looks."""
    if item.get_closest_marker("live") and _lacks_mark(item.path, "live"):
        raise pytest.UsageError(f"{item.nodeid} is live, and its file does not name the mark.")
    if item.get_closest_marker("database"):
        for folder in NO_DATABASE:
            if item.path.is_relative_to(ROOT / folder):
                raise pytest.UsageError(f"{item.nodeid} touches the database below {folder}/.")
