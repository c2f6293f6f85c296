"""The control loop: the only one that launches. Any number may run; each step is safe to repeat."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from channels.layers import InMemoryChannelLayer, get_channel_layer
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from django.http.request import validate_host
from django.utils import timezone

from avatars.builder import AvatarBuilder
from inference.launchers.base import Launcher
from inference.protocol import FENCE_REPLACE_SECONDS
from inference.services import note_chores, note_node
from livestudio.common.log import get_logger
from streams.poke import CONTROL_GROUP
from streams.services import (
    airing,
    consents,
    launching,
    quotas,
    reaping,
    retention,
    storage,
    supervision,
    tickets,
)
from streams.services.chores import ChoreRunner
from streams.services.idle_loops import IdleLoopBuilder
from streams.services.retention import SteadyClock
from webhooks.sender_child import SenderChild
from webhooks.services import deliveries

log = get_logger(__name__)

ROUND_SECONDS: Final = 0.2
SLOW_ROUND_SECONDS: Final = 1.0
RARE_ROUND_SECONDS: Final = 10.0
# Well below what is set aside ahead: see `services.quotas.LEAD_SECONDS`.
METER_SECONDS: Final = 5.0
CONSENT_SECONDS: Final = 2.0
SWEEP_SECONDS: Final = 600.0
WEB_LOOK_SECONDS: Final = 2.0
# Whoever sets a clock right does it in steps smaller than this; a lease lasts for ten seconds.
CLOCK_JUMP_SECONDS: Final = 2.0


class Health:
    """How long database, web and the machine's clock have been well, as this loop has seen it."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clock, self._wall = clock, wall
        self._well_since = dict.fromkeys(("database", "web", "clock"), clock())
        self._difference = wall() - clock()
        self._jumped_at: float | None = None

    def note(self, part: str, *, is_well: bool) -> None:
        """What a look has shown."""
        if not is_well:
            self._well_since[part] = self._clock()

    def look_at_clock(self) -> None:
        """Notice a wall clock that jumped: leases and stops in the database were timed by it."""
        difference = self._wall() - self._clock()
        if abs(difference - self._difference) > CLOCK_JUMP_SECONDS:
            log.warning("the clock jumped", seconds=round(difference - self._difference))
            self.note("clock", is_well=False)
            self._jumped_at = self._clock()
        self._difference = difference

    @property
    def may_judge(self) -> bool:
        """True after one whole fence period of seeing all well: only then silence means much."""
        return self._is_settled(max(self._well_since.values()))

    @property
    def is_clock_steady(self) -> bool:
        """False for a fence period after the wall clock has jumped."""
        return self._jumped_at is None or self._is_settled(self._jumped_at)

    def _is_settled(self, since: float) -> bool:
        return self._clock() - since >= FENCE_REPLACE_SECONDS


class Every:
    """True at most once in so many seconds; the first time at once."""

    def __init__(self, seconds: float) -> None:
        self._seconds, self._due_at = seconds, 0.0

    def is_due(self) -> bool:
        """Whether it is time; asking takes the turn."""
        now = time.monotonic()
        if now < self._due_at:
            return False
        self._due_at = now + self._seconds
        return True


class ControlLoop:
    """Runs rounds until told to stop; a stop finishes the round that is under way."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._wake = threading.Event()
        self._is_stopping = threading.Event()
        self._health = Health()
        self._slow = Every(SLOW_ROUND_SECONDS)
        self._rare = Every(RARE_ROUND_SECONDS)
        self._consents = Every(CONSENT_SECONDS)
        self._sweep = Every(SWEEP_SECONDS)
        self._meter = Every(METER_SECONDS)
        self._steady = SteadyClock()
        self._idle_loops = IdleLoopBuilder()
        self._avatars = AvatarBuilder()
        self._chores = ChoreRunner(on_swept=lambda: note_chores(socket.gethostname()))
        self._webhooks = SenderChild()

    def stop(self) -> None:
        """End after this round. Safe in a signal handler and from other threads."""
        self._is_stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Until `stop`. Runners stay: they live without the loop."""
        threading.Thread(target=self._look_at_web, name="web-look", daemon=True).start()
        if not isinstance(get_channel_layer(), InMemoryChannelLayer):
            threading.Thread(target=self._listen, name="doorbell", daemon=True).start()
        while not self._is_stopping.is_set():
            self._round()
            self._wake.wait(ROUND_SECONDS)
            self._wake.clear()
        self.close()

    def close(self) -> None:
        """Release what is kept for the next round; runners are not touched."""
        self._avatars.close()
        self._idle_loops.close()
        self._chores.close()
        self._webhooks.close()
        self._launcher.close()

    def _round(self) -> None:
        try:
            self.run_once()
        except (OperationalError, InterfaceError) as error:
            self._health.note("database", is_well=False)
            log.warning("database not reachable", reason=type(error).__name__)
            close_old_connections()
            self._is_stopping.wait(SLOW_ROUND_SECONDS)
        except Exception:  # noqa: BLE001 - the edge: one bad row must not stop every show
            log.exception("control round failed")
            self._is_stopping.wait(SLOW_ROUND_SECONDS)

    def run_once(self) -> None:
        """One round: deaths, starts, launches, and what is due of the slower steps."""
        supervision.note_deaths(self._launcher)
        airing.start_due_airings(timezone.now())
        launching.launch_due(self._launcher)
        if self._slow.is_due():
            self._slow_round()
        if self._meter.is_due():
            quotas.keep_accounts(timezone.now())
        if self._rare.is_due():
            self._rare_round()

    def _slow_round(self) -> None:
        now = timezone.now()
        self._health.look_at_clock()  # after `now` is read: a jump between the two is seen
        may_judge = self._health.may_judge
        supervision.finish_stopped()
        if self._health.is_clock_steady:
            supervision.insist(self._launcher, now, may_judge=may_judge)
        if may_judge:
            supervision.judge_leases(now)
        airing.plan_airings(now)
        if self._consents.is_due():
            consents.end_without_consent(now)
        self._launcher.prepare()
        if self._avatars.look():
            self._idle_loops.hurry()
        self._idle_loops.go_on()
        self._webhooks.look()

    def _rare_round(self) -> None:
        self._idle_loops.look()
        self._chores.look(may_delete=self._steady.is_trusted())
        supervision.mend_orphans()
        storage.watch_storage()
        reaping.reap_shared_memory()
        reaping.trim_logs()
        tickets.forget_expired_tickets()
        if self._steady.is_trusted() and self._sweep.is_due():
            deliveries.sweep(timezone.now())
            if retention.sweep(timezone.now()):
                self._idle_loops.forget()
        note_node(socket.gethostname())
        close_old_connections()

    def _look_at_web(self) -> None:
        while not self._is_stopping.wait(WEB_LOOK_SECONDS):
            self._health.note("web", is_well=web_is_well())

    def _listen(self) -> None:
        while not self._is_stopping.is_set():
            try:
                asyncio.run(self._hear_pokes())
            except Exception as error:  # noqa: BLE001 - polling goes on; only the bell is silent
                log.warning("doorbell not heard", reason=type(error).__name__)
                self._is_stopping.wait(SLOW_ROUND_SECONDS)

    async def _hear_pokes(self) -> None:
        layer: Any = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(CONTROL_GROUP, channel)
        while not self._is_stopping.is_set():
            await layer.receive(channel)
            self._wake.set()


def _allowed_host(address: SplitResult) -> str:
    """A Host that the web side accepts, whatever address it is reached at."""
    if validate_host(address.hostname or "", settings.ALLOWED_HOSTS):
        return address.netloc
    return str(settings.ALLOWED_HOSTS[0]).lstrip(".")


def web_is_well() -> bool:
    """Whether the web side that runners dial answers."""
    address = urlsplit(settings.RUNNER_LINK_URL)
    secure = address.scheme in ("wss", "https")
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=WEB_LOOK_SECONDS)
    try:
        connection.request("GET", "/livez", headers={"Host": _allowed_host(address)})
        return connection.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
