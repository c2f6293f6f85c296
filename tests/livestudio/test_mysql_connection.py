"""How often a connection to MySQL is looked at before it is used."""

from __future__ import annotations

import pytest

from livestudio.common.mysql.base import LOOK_SECONDS, DatabaseWrapper

SETTINGS = {
    "ENGINE": "livestudio.common.mysql", "NAME": "x", "USER": "", "PASSWORD": "", "HOST": "",
    "PORT": "", "OPTIONS": {}, "CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True,
    "AUTOCOMMIT": True, "ATOMIC_REQUESTS": False, "TIME_ZONE": None, "TEST": {},
}  # fmt: skip


class Server:
    """Counts pings; `is_up` answers them. seconds: the time of the web process."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.pings = 0
        self.is_up = True

    def ping(self) -> bool:
        self.pings += 1
        return self.is_up


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def wrapper(server: Server, monkeypatch: pytest.MonkeyPatch) -> DatabaseWrapper:
    """Connected some time ago."""
    wrapper = DatabaseWrapper(SETTINGS)
    monkeypatch.setattr(wrapper, "_now", lambda: server.seconds)
    monkeypatch.setattr(wrapper, "connection", object())
    monkeypatch.setattr(wrapper, "is_usable", server.ping)
    monkeypatch.setattr(wrapper, "close", lambda: setattr(wrapper, "connection", None))
    wrapper.health_check_enabled = True
    return wrapper


def begin_request(wrapper: DatabaseWrapper) -> None:
    """What Django does around a request, and before each query."""
    wrapper.health_check_done = False
    for _ in range(3):
        wrapper.close_if_health_check_failed()


def test_connection_in_use_is_looked_at_now_and_then(
    wrapper: DatabaseWrapper, server: Server
) -> None:
    for _ in range(400):
        begin_request(wrapper)
        server.seconds += LOOK_SECONDS / 64

    assert server.pings == 7


def test_connection_that_has_ended_is_not_used_again(
    wrapper: DatabaseWrapper, server: Server
) -> None:
    begin_request(wrapper)
    server.is_up = False
    begin_request(wrapper)
    assert wrapper.connection is not None  # not looked at yet
    server.seconds += LOOK_SECONDS
    begin_request(wrapper)

    assert wrapper.connection is None


def test_nothing_is_asked_within_a_request(wrapper: DatabaseWrapper, server: Server) -> None:
    """A ping in a transaction that finds the connection ended would open another, half done."""
    begin_request(wrapper)
    server.seconds += 0.1
    begin_request(wrapper)
    server.seconds += 60
    wrapper.close_if_health_check_failed()

    assert server.pings == 1
