"""The sender is there when something is to be sent, and only then."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from accounts.events import emit
from tests.factories import Cast
from tests.webhooks.conftest import make_webhook
from webhooks import sender_child
from webhooks.sender_child import SenderChild

pytestmark = pytest.mark.django_db

SHOW = {"show": "s", "title": "早安"}


class Starts:
    """Starts real children that end with a status of the test's choice, or wait for their stdin."""

    def __init__(self) -> None:
        self.code = "import sys; sys.stdin.read()"
        self.children: list[subprocess.Popen[bytes]] = []

    def __call__(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", self.code]
        self.children.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        return self.children[-1]


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch) -> Starts:
    starts = Starts()
    monkeypatch.setattr(sender_child, "_start", starts)
    return starts


def test_it_starts_with_the_first_event_and_once(cast: Cast, starts: Starts) -> None:
    child = SenderChild()
    webhook = make_webhook(cast)
    child.look()
    assert starts.children == []

    emit(cast.organization, "show.created", SHOW)
    child.look()
    child.look()

    assert webhook.deliveries.count() == 1
    assert len(starts.children) == 1
    child.close()
    assert starts.children[0].poll() is not None


def test_one_that_died_is_started_again_after_a_pause(cast: Cast, starts: Starts) -> None:
    now = 0.0

    def clock() -> float:
        return now

    child: Any = SenderChild(clock)
    starts.code = "raise SystemExit(3)"
    make_webhook(cast)
    emit(cast.organization, "show.created", SHOW)

    child.look()
    starts.children[0].wait()
    child.look()
    assert len(starts.children) == 1
    now = sender_child.PAUSE_SECONDS
    child.look()

    assert len(starts.children) == 2
    child.close()
