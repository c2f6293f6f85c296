"""What a card of the live page shows of one airing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import has_permission
from streams.admin.charts import Chart, charts_of
from streams.admin.troubles import broadcast_url
from streams.messages import broadcast_json
from streams.models import Broadcast, BroadcastOutput, Occurrence, Utterance
from streams.models.broadcast import FINAL_STATES, UtteranceState
from streams.services.lengths import clock_text
from streams.services.thumbnails import look_at_thumbnail

CARDS_MAX: Final = 60
_TONES: Final = {
    "live": "tally",
    "starting": "info",
    "recovering": "warn",
    "stopping": "warn",
    "failed": "bad",
    "ended": "quiet",
    "connecting": "info",
    "retrying": "warn",
    "waiting_for_key": "warn",
    "stopped": "quiet",
}


@dataclass(frozen=True, slots=True)
class OutputChip:
    """An output on air with its health. tone: names a colour of the style sheet."""

    row: BroadcastOutput
    label: str
    tone: str


@dataclass(frozen=True, slots=True)
class Card:
    """One airing. position: `3 / 6`; say_key: a double click says a line once."""

    broadcast: Broadcast
    title: str
    state_label: str
    tone: str
    on_air: str
    position: str
    sentence: str
    charts: list[Chart]
    outputs: list[OutputChip]
    thumbnail_url: str
    watch_url: str
    studio_url: str
    page_url: str
    may_steer: bool
    may_stop: bool
    may_key: bool
    say_key: str

    @property
    def is_paused(self) -> bool:
        return self.broadcast.script in ("paused", "held")

    @property
    def for_key(self) -> list[OutputChip]:
        """The outputs that take a stream key, those that wait for it first."""
        chips = [chip for chip in self.outputs if chip.row.kind == "rtmp"]
        return sorted(chips, key=lambda chip: chip.row.state != "waiting_for_key")


def broadcasts_of(user: User) -> QuerySet[Broadcast]:
    """The airings that the user may see."""
    return Broadcast.objects.filter(organization__in=user.organizations_where("broadcast.view"))


def occurrences_of(user: User) -> QuerySet[Occurrence]:
    """The planned airings that the user may see."""
    allowed = user.organizations_where("show.view")
    rows = Occurrence.objects.filter(show__organization__in=allowed, show__archived_at=None)
    return rows.select_related("show")


def cards_of(user: User) -> list[Card]:
    """Every airing of the user's organizations that is not over, the longest on air first."""
    rows = broadcasts_of(user).exclude(state__in=FINAL_STATES).order_by("created_at")
    rows = rows.select_related("organization", "show").prefetch_related("outputs")
    return [make_card(row, user) for row in rows[:CARDS_MAX]]


def make_card(broadcast: Broadcast, user: User) -> Card:
    """Look at one airing; its runner is asked for pictures while somebody does."""
    as_json = broadcast_json(broadcast)
    organization = broadcast.organization
    is_over = broadcast.is_over
    return Card(
        broadcast=broadcast,
        title=str(as_json["title"]),
        state_label=str(broadcast.get_state_display()),
        tone=_TONES[broadcast.state],
        on_air=time_on_air(broadcast),
        position=_position(broadcast),
        sentence="" if is_over else _sentence(broadcast),
        charts=charts_of(broadcast),
        outputs=_chips(broadcast.outputs.all()),
        thumbnail_url=as_json["thumbnail_url"] if look_at_thumbnail(broadcast) else "",
        watch_url=as_json["watch_url"],
        studio_url=f"{reverse('studio')}broadcasts/{broadcast.pk}/",
        page_url=broadcast_url(broadcast.pk),
        may_steer=not is_over and has_permission(user, "broadcast.steer", organization),
        may_stop=not is_over and has_permission(user, "broadcast.start", organization),
        may_key=not is_over and has_permission(user, "broadcast.replace_key", organization),
        say_key=str(uuid4()),
    )


def time_on_air(broadcast: Broadcast) -> str:
    """From the first picture to now, or to the end."""
    first = broadcast.first_frame_at
    if first is None:
        return clock_text(0)
    length: timedelta = (broadcast.ended_at or timezone.now()) - first
    return clock_text(length.total_seconds())


def _position(broadcast: Broadcast) -> str:
    cues: list[dict[str, Any]] = broadcast.snapshot.get("cues", [])
    ids = [cue.get("id") for cue in cues]
    cue = broadcast.cursor.get("cue")
    return f"{ids.index(cue) + 1} / {len(ids)}" if cue in ids else f"– / {len(ids)}"


def _sentence(broadcast: Broadcast) -> str:
    speaking = Utterance.objects.filter(broadcast=broadcast, state=UtteranceState.SPEAKING)
    newest = speaking.order_by("-created_at").first()
    return newest.text if newest else ""


def _chips(rows: Iterable[BroadcastOutput]) -> list[OutputChip]:
    chips = []
    for row in rows:
        tone = "good" if row.state == "live" else _TONES[row.state]
        chips.append(OutputChip(row, str(row.get_state_display()), tone))
    return chips
