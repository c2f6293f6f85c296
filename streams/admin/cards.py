"""What a card of the live page shows of one airing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import UUID, uuid4

from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.roles import permissions_in
from streams.admin.charts import Chart, charts_of, samples_of
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
    return _make_cards(rows[:CARDS_MAX], user)


def make_card(broadcast: Broadcast, user: User) -> Card:
    """Look at one airing; its runner is asked for pictures while somebody does."""
    return _make_cards([broadcast], user)[0]


def _make_cards(broadcasts: Iterable[Broadcast], user: User) -> list[Card]:
    """What is read for all of them is read once: the page is asked for every few seconds."""
    shown = list(broadcasts)
    organizations = {row.organization for row in shown}
    allowed = {item.pk: permissions_in(user, item) for item in organizations}
    samples, sentences = samples_of(shown), _sentences(shown)
    return [
        _card(
            row,
            charts=charts_of(row, samples[row.pk]),
            sentence=sentences.get(row.pk, ""),
            allowed=frozenset() if row.is_over else allowed[row.organization_id],
        )
        for row in shown
    ]


def _card(
    broadcast: Broadcast, *, charts: list[Chart], sentence: str, allowed: frozenset[str]
) -> Card:
    as_json = broadcast_json(broadcast)
    return Card(
        broadcast=broadcast,
        title=str(as_json["title"]),
        state_label=str(broadcast.get_state_display()),
        tone=_TONES[broadcast.state],
        on_air=time_on_air(broadcast),
        position=_position(broadcast),
        sentence=sentence,
        charts=charts,
        outputs=_chips(broadcast.outputs.all()),
        thumbnail_url=as_json["thumbnail_url"] if look_at_thumbnail(broadcast) else "",
        watch_url=as_json["watch_url"],
        studio_url=f"{reverse('studio')}broadcasts/{broadcast.pk}/",
        page_url=broadcast_url(broadcast.pk),
        may_steer="broadcast.steer" in allowed,
        may_stop="broadcast.start" in allowed,
        may_key="broadcast.replace_key" in allowed,
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


def _sentences(broadcasts: Iterable[Broadcast]) -> dict[UUID, str]:
    """What each of those on air says at this moment."""
    on_air = [row for row in broadcasts if not row.is_over]
    speaking = Utterance.objects.filter(broadcast__in=on_air, state=UtteranceState.SPEAKING)
    # Of several the newest stands last, and stays.
    return dict(speaking.order_by("created_at").values_list("broadcast", "text"))


def _chips(rows: Iterable[BroadcastOutput]) -> list[OutputChip]:
    chips = []
    for row in rows:
        tone = "good" if row.state == "live" else _TONES[row.state]
        chips.append(OutputChip(row, str(row.get_state_display()), tone))
    return chips
