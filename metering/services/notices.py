"""Telling that most or all of a quota is used up: once in a period, outside and inside."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from accounts import events
from livestudio.common.log import get_logger
from metering import hooks
from metering.errors import moment
from metering.hooks import Level, Passed
from metering.meters import WARN_SHARE, Meter
from metering.models import Counter

log = get_logger(__name__)

_EVENTS: dict[Level, str] = {"warning": "quota.warning", "reached": "quota.reached"}


def look_at_level(
    counter: Counter,
    meter: Meter,
    limit: int | None,
    resets_at: datetime | None,
    is_exhausted: bool,
) -> None:
    """Note on a locked counter what it has passed, and tell it. The caller saves the counter.

    What has no period may fall again: then it is told anew the next time.
    """
    is_warned = limit is not None and counter.used >= WARN_SHARE * limit
    is_reached = limit is not None and (counter.used >= limit or is_exhausted)
    if resets_at is None:
        counter.warned_at = counter.warned_at if is_warned else None
        counter.reached_at = counter.reached_at if is_reached else None
    if limit is None or not meter.warns:
        return
    if (is_warned or is_reached) and counter.warned_at is None:
        counter.warned_at = timezone.now()
        _tell(counter, meter, "warning", limit, resets_at)
    if is_reached and counter.reached_at is None:
        counter.reached_at = timezone.now()
        _tell(counter, meter, "reached", limit, resets_at)


def _tell(
    counter: Counter, meter: Meter, level: Level, limit: int, resets_at: datetime | None
) -> None:
    passed = Passed(
        organization=counter.organization_id,
        meter=meter.name,
        level=level,
        used=meter.shown(counter.used),
        limit=meter.shown(limit),
        resets_at=resets_at,
    )
    data = {
        "quota": passed.meter,
        "used": passed.used,
        "limit": passed.limit,
        "resets_at": moment(resets_at),
        "broadcast": None,
    }
    events.emit(passed.organization, _EVENTS[level], data)
    listeners = hooks.QUOTA_WARNED if level == "warning" else hooks.QUOTA_REACHED
    for listener in listeners:
        transaction.on_commit(lambda tell=listener: tell(passed), robust=True)  # type: ignore[misc]
    log.info("quota passed", meter=passed.meter, passed=level)
