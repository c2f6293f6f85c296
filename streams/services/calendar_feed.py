"""The airings of an organization as a calendar (RFC 5545), for programs that subscribe to it.

Each airing is an event of its own, in UTC: recurrence, days left out and clock changes are judged
by our schedule alone, and no program can read them otherwise (ADR 0021).
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Final

from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from accounts.models import Organization
from streams.models import Schedule, Show
from streams.models.schedule import OccurrenceState
from streams.services.clashes import OPEN_LENGTH
from streams.services.lengths import planned_length
from streams.services.occurrences import PlannedAiring, list_airings

if TYPE_CHECKING:
    from icalendar import Calendar, Event

BEHIND: Final = timedelta(days=60)
AHEAD: Final = timedelta(days=90)
# Those nearest to now stay; programs take long over more.
EVENTS_MAX: Final = 2000
ASK_AGAIN: Final = timedelta(hours=1)


def calendar_text(organization: Organization, base_url: str) -> bytes:
    """The calendar of an organization. base_url: of this site, without a slash at its end."""
    now = timezone.now()
    # By whole days: what is told stays the same until something changes, and so does its ETag.
    today = datetime.combine(now.date(), time(), now.tzinfo)
    airings = list_airings(organization, today - BEHIND, today + AHEAD + timedelta(days=1))
    if len(airings) > EVENTS_MAX:
        nearest = sorted(airings, key=lambda pair: abs(pair[1].at - now))[:EVENTS_MAX]
        airings = sorted(nearest, key=lambda pair: pair[1].at)
    calendar = _calendar(organization)
    lengths: dict[Show, timedelta] = {}
    for show, airing in airings:
        if show not in lengths:
            lengths[show] = planned_length(show) or OPEN_LENGTH
        calendar.add_component(_event(show, airing, lengths[show], base_url))
    text: bytes = calendar.to_ical()
    return text


def _calendar(organization: Organization) -> Calendar:
    # Not with this module: it is a tenth of the start of each process, and few serve calendars.
    from icalendar import Calendar, vDuration

    calendar = Calendar()
    calendar.add("prodid", "-//LiveStudio//Shows//EN")
    calendar.add("version", "2.0")
    # What Google and Outlook show as its name and read as their pace; RFC 7986 names both anew.
    calendar.add("x-wr-calname", organization.name)
    calendar.add("name", organization.name)
    calendar.add("x-published-ttl", vDuration(ASK_AGAIN))
    calendar.add("refresh-interval", ASK_AGAIN, parameters={"VALUE": "DURATION"})
    return calendar


def _event(show: Show, airing: PlannedAiring, length: timedelta, base_url: str) -> Event:
    from icalendar import Event

    event = Event()
    event.add("uid", f"{show.pk}-{airing.at:%Y%m%dT%H%M%SZ}@livestudio")
    # Without METHOD it is the time of the last change (RFC 5545, 3.8.7.2), not of this answer.
    event.add("dtstamp", _changed_at(show))
    event.add("dtstart", airing.at)
    event.add("dtend", _end(airing, length))
    event.add("summary", show.title)
    url = base_url + reverse("watch", args=[airing.broadcast or show.pk])
    event.add("url", url)
    event.add("description", _description(show, airing, url))
    is_missed = airing.state == OccurrenceState.MISSED
    event.add("status", "CANCELLED" if is_missed else "CONFIRMED")
    event.add("transp", "TRANSPARENT")  # nobody's day is taken by it
    return event


def _end(airing: PlannedAiring, length: timedelta) -> datetime:
    ended_at = airing.ended_at
    if ended_at is not None and ended_at > airing.at:
        return ended_at.replace(microsecond=0)
    return airing.at + length


def _changed_at(show: Show) -> datetime:
    schedule: Schedule | None = getattr(show, "schedule", None)
    return max(show.updated_at, schedule.updated_at) if schedule else show.updated_at


def _description(show: Show, airing: PlannedAiring, url: str) -> str:
    """In the language of the show: programs that fetch calendars name none."""
    with translation.override(translation.get_supported_language_variant(show.language)):
        lines = [gettext("Presenter: %(name)s") % {"name": show.avatar.name}]
        if airing.state == OccurrenceState.MISSED:
            lines.append(gettext("This airing was missed."))
        lines.append(gettext("Watch: %(url)s") % {"url": url})
    return "\n".join(lines)
