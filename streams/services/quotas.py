"""What an airing uses of its organization's quotas: asked at the start, counted as it runs.

Minutes are set aside a minute ahead and counted by the clock, from the first picture to the end:
counting again, by another control loop or after a crash, adds nothing. When nothing can be set
aside any more the broadcast ends by itself, at a sentence end and with a closing line.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.db import InterfaceError, OperationalError, transaction
from django.utils import timezone

from accounts.audit import record
from accounts.roles import SYSTEM
from inference.closing_spec import Closing, TellQuota
from inference.protocol import encode
from livestudio.common.log import get_logger
from metering.errors import moment
from metering.hooks import Passed
from metering.limits import limits_of, zone_of
from metering.models import OrganizationQuota, UsageEntry
from metering.periods import day_of, seconds_by_day, start_of
from metering.services.counting import (
    Holder,
    count,
    count_up_to,
    release_all,
    require_left,
    require_room,
    reserve,
    taken_of,
)
from metering.services.storage import stored_bytes
from streams.models import Broadcast, BroadcastState, DesiredState
from streams.models.broadcast import FINAL_STATES
from streams.poke import poke_consoles, poke_control_loop
from streams.services.commands import Order, issue_command
from streams.states import move
from voices.meters import CHARACTERS, TOKENS, characters_meter, meters_of
from voices.models import Voice

log = get_logger(__name__)

MINUTES: Final = "broadcast_minutes"
STORAGE: Final = "storage_bytes"
# Set aside at a time; what is not used is given back at the end.
BLOCK_SECONDS: Final = 60
# With less than this set aside, and no more to be had, the end begins: the sentence that is being
# said and the closing line fit into it.
LEAD_SECONDS: Final = 15
# A show that could only begin and say goodbye is not started.
START_SECONDS: Final = 20
STOP_DEADLINE_SECONDS: Final = 300.0
TELL_DEADLINE_SECONDS: Final = 300.0
# A show that has just used some of a meter goes on to, whatever its voice has become meanwhile.
USED_LATELY: Final = timedelta(minutes=1)

# The reason of the broadcast, by what ran out.
REASONS: Final = {
    MINUTES: "quota_minutes",
    CHARACTERS: "quota_tts_characters",
    TOKENS: "quota_llm_tokens",
}
CLOSING_LINES: Final = {
    "zh-CN": "今天的直播就到这里，感谢大家的陪伴，我们下次再见。",
    "en-US": "That is all for today. Thank you for watching, and see you next time.",
}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a sentence took that a voice has made. tokens: as the voice's server counted them."""

    engine: str
    characters: int
    tokens: int = 0


def open_account(broadcast: Broadcast) -> None:
    """At the start, in its transaction, with the row made. Raises QuotaExceededError."""
    now = timezone.now()
    organization_id = broadcast.organization_id
    require_room(organization_id, "concurrent_broadcasts")
    _require_words(broadcast, 1, now)
    reserve(holder_of(broadcast), MINUTES, BLOCK_SECONDS, least=START_SECONDS, now=now)
    _skip_recording_when_full(broadcast)


def keep_accounts(now: datetime) -> None:
    """Count and look ahead for every broadcast that is on air, or waits to be."""
    for broadcast in Broadcast.objects.exclude(state__in=FINAL_STATES):
        try:
            keep_account(broadcast, now)
        except (OperationalError, InterfaceError):
            raise  # the database's trouble, not this row's
        except Exception:  # noqa: BLE001 - the edge: one bad row must not leave others uncounted
            log.exception("minutes not counted", broadcast_id=str(broadcast.pk))


def keep_account(broadcast: Broadcast, now: datetime) -> None:
    """Count the minutes up to now, set the next ones aside, end the broadcast when none are left.

    May be cut short anywhere, and called by any number at once.
    """
    left_seconds = count_minutes(broadcast, now)
    if broadcast.desired_state != DesiredState.RUNNING:
        return
    meter = _run_out(broadcast, left_seconds, now)
    if meter is not None:
        end_for_quota(broadcast, meter)


def close_account(broadcast: Broadcast) -> None:
    """At the end, in its transaction: count the last seconds, give back what was set aside."""
    count_minutes(broadcast, broadcast.ended_at or timezone.now())
    release_all(holder_of(broadcast), MINUTES)


def count_minutes(broadcast: Broadcast, until: datetime) -> int:
    """Count the time on air up to a moment; the seconds that are still set aside today."""
    holder, zone = holder_of(broadcast), zone_of(broadcast.organization_id)
    since = broadcast.first_frame_at or until
    counted = UsageEntry.objects.filter(holder=holder.key, meter=MINUTES, used__gt=0)
    newest = counted.order_by("-day").first()
    if newest is not None:
        # What lies before is counted; a moved zone must not count a day again.
        since = max(since, min(start_of(newest.day, zone), until))
    left = 0
    for day, seconds in seconds_by_day(since, max(since, until), zone):
        left = count_up_to(holder, MINUTES, seconds, day)
    release_all(holder, MINUTES, before=day_of(until, zone))
    return left


def count_sentence(broadcast: Broadcast, made: Sentence, at: datetime) -> None:
    """A voice has made a sentence. Call it once for each, in the transaction that notes it."""
    holder = holder_of(broadcast)
    count(holder, characters_meter(made.engine), made.characters, now=at)
    if made.tokens:
        count(holder, TOKENS, made.tokens, now=at)


def require_words(broadcast: Broadcast, text: str) -> None:
    """Raises QuotaExceededError when this text is too much for what is left of today."""
    _require_words(broadcast, len(text), timezone.now())


def end_for_quota(broadcast: Broadcast, meter: str) -> bool:
    """End it at the sentence end, with the closing line; False when it was ending already."""
    reason = REASONS[meter]
    rows = Broadcast.objects.filter(pk=broadcast.pk, desired_state=DesiredState.RUNNING)
    with transaction.atomic():
        if not rows.update(desired_state=DesiredState.STOPPED, stop_requested_at=timezone.now()):
            return False
        move(broadcast, BroadcastState.STOPPING, reason)
        args = {"when": "sentence_end", "reason": reason, "closing": encode(_closing(broadcast))}
        order = Order("stop", args, deadline_seconds=STOP_DEADLINE_SECONDS)
        issue_command(broadcast=broadcast, order=order, actor=SYSTEM)
        record(SYSTEM, "streams.broadcast.quota_ended", broadcast, data={"meter": meter})
        transaction.on_commit(lambda: _ring(broadcast.pk))
    log.info("broadcast ends for its quota", broadcast_id=str(broadcast.pk), meter=meter)
    return True


def tell_broadcasts(passed: Passed) -> None:
    """Most or all of a quota is used up: an event on every broadcast that is on air."""
    told = TellQuota(
        passed.level, passed.meter, passed.used, passed.limit, moment(passed.resets_at)
    )
    on_air = Broadcast.objects.filter(organization=passed.organization)
    for broadcast in on_air.exclude(state__in=FINAL_STATES):
        tell_broadcast(broadcast, told)


def tell_broadcast(broadcast: Broadcast, told: TellQuota) -> None:
    """Have the runner write the event, so that it stands in order with its own."""
    order = Order("tell_quota", encode(told), deadline_seconds=TELL_DEADLINE_SECONDS)
    with transaction.atomic():
        issue_command(broadcast=broadcast, order=order, actor=SYSTEM)


def count_on_air(organization_id: UUID) -> int:
    """Broadcasts that are not over."""
    rows = Broadcast.objects.filter(organization=organization_id)
    return rows.exclude(state__in=FINAL_STATES).count()


def holder_of(broadcast: Broadcast) -> Holder:
    """The broadcast as usage knows it."""
    title = str(broadcast.snapshot.get("title", ""))
    return Holder(broadcast.organization_id, str(broadcast.pk), title)


def _skip_recording_when_full(broadcast: Broadcast) -> None:
    """A show that records goes on air all the same, and says that it does not record."""
    limit = limits_of(broadcast.organization_id)[STORAGE]
    used = stored_bytes(broadcast.organization_id)
    if not broadcast.recording_wanted or limit is None or used < limit:
        return
    broadcast.recording_wanted = False
    broadcast.save(update_fields=["recording_wanted", "updated_at"])
    tell_broadcast(broadcast, TellQuota("reached", STORAGE, used, limit))


def _run_out(broadcast: Broadcast, left_seconds: int, now: datetime) -> str | None:
    """The meter of which nothing is left for this broadcast, if there is one."""
    limits = limits_of(broadcast.organization_id)
    if limits[MINUTES] is not None and left_seconds < LEAD_SECONDS:
        more = reserve(holder_of(broadcast), MINUTES, BLOCK_SECONDS, least=0, now=now)
        if not more.amount:
            return MINUTES
    for meter in (CHARACTERS, TOKENS):
        if _ends_by(broadcast, meter, limits[meter], now):
            return meter
    return None


def _ends_by(broadcast: Broadcast, meter: str, limit: int | None, now: datetime) -> bool:
    """Whether nothing is left of what its voice needs."""
    if limit is None:
        return False
    day = day_of(now, zone_of(broadcast.organization_id))
    if taken_of(broadcast.organization_id, meter, day) < limit:
        return False
    return meter in _meters_of(broadcast) or _has_used(broadcast, meter, day, now)


def _require_words(broadcast: Broadcast, characters: int, now: datetime) -> None:
    """Raises QuotaExceededError. What tokens a text will take nobody knows: one must be left."""
    for meter in _meters_of(broadcast):
        amount = 1 if meter == TOKENS else characters
        require_left(broadcast.organization_id, meter, amount, now=now)


def _meters_of(broadcast: Broadcast) -> tuple[str, ...]:
    """What the sentences of its voice count by; those of its fallbacks may by others."""
    voice = Voice.objects.filter(pk=broadcast.snapshot["voice"]).first()
    return meters_of(voice) if voice else ()


def _has_used(broadcast: Broadcast, meter: str, day: date, now: datetime) -> bool:
    """Whether it has just used some: by a fallback, or by a voice as it was before a change."""
    entries = UsageEntry.objects.filter(holder=str(broadcast.pk), meter=meter, day=day)
    return bool(entries.filter(used__gt=0, updated_at__gt=now - USED_LATELY).exists())


def _closing(broadcast: Broadcast) -> Closing:
    """The organization's closing line in the show's language, else ours."""
    rows = OrganizationQuota.objects.filter(organization=broadcast.organization_id)
    quota = rows.first() or OrganizationQuota()
    language = str(broadcast.snapshot["language"])
    own = quota.closing_line_zh if language == "zh-CN" else quota.closing_line_en
    values: dict[str, Any] = {"kind": quota.closing}
    return Closing(str(uuid4()), own or CLOSING_LINES[language], **values)


def _ring(broadcast_id: UUID) -> None:
    poke_control_loop()
    poke_consoles(broadcast_id)
