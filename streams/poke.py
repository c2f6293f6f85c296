"""Doorbells over the channel layer: they carry no truth and never fail the one who rings.

Groups: `control` (control loops), `runner.<broadcast>` (the runner link), `broadcast.<broadcast>`
(consoles and viewers), `credential.<credential>` (sockets opened by one sign-in). Who misses a
doorbell finds the row at its next look.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

from livestudio.common.log import get_logger

CONTROL_GROUP = "control"

log = get_logger(__name__)


def runner_group(broadcast_id: UUID | str) -> str:
    """The group that the runner link of this broadcast listens to."""
    return f"runner.{broadcast_id}"


def broadcast_group(broadcast_id: UUID | str) -> str:
    """The group that consoles and viewers of this broadcast listen to."""
    return f"broadcast.{broadcast_id}"


def credential_group(credential: str) -> str:
    """The group of the sockets that one sign-in opened, see `accounts.credentials`."""
    return f"credential.{credential}"


def poke_control_loop() -> None:
    """Ask the control loops to look at the broadcasts now. Message type `control.poke`."""
    ring(CONTROL_GROUP, {"type": "control.poke"})


def poke_runner(broadcast_id: UUID | str) -> None:
    """Ask the runner link to read its command rows now. Message type `runner.poke`."""
    ring(runner_group(broadcast_id), {"type": "runner.poke"})


def poke_viewers(broadcast_id: UUID | str) -> None:
    """Have the right of all who watch asked again now."""
    poke_whep_viewers(broadcast_id)
    poke_consoles(broadcast_id)


def poke_whep_viewers(broadcast_id: UUID | str) -> None:
    """Have the right of those who watch without a socket asked now. Type `runner.viewers`."""
    ring(runner_group(broadcast_id), {"type": "runner.viewers"})


def poke_thumbnail(broadcast_id: UUID | str, *, seconds: float) -> None:
    """Tell the runner that somebody looks for `seconds`. Message type `runner.thumbnail`."""
    ring(runner_group(broadcast_id), {"type": "runner.thumbnail", "seconds": seconds})


def poke_consoles(broadcast_id: UUID | str) -> None:
    """Ask consoles and viewers to read the broadcast row again. Type `broadcast.changed`."""
    ring(broadcast_group(broadcast_id), {"type": "broadcast.changed"})


def poke_sockets(credentials: Collection[str]) -> None:
    """Have the right of the sockets that these opened asked now. Type `credential.changed`."""
    for credential in credentials:
        ring(credential_group(credential), {"type": "credential.changed"})


def ring(group: str, message: dict[str, Any]) -> None:
    """Send to a group from synchronous code; a failure is logged and swallowed."""
    layer = get_channel_layer()
    if layer is None:
        return
    try:
        async_to_sync(layer.group_send)(group, message)
    except Exception:  # noqa: BLE001  # a doorbell: whatever breaks, the row is already written
        log.warning("doorbell failed", group=group, exc_info=True)
