"""Using up what is limited: reserved before, settled after, all under one lock.

The lock is the row of the counter: taken by an update, so that SQLite (which ignores row locks)
waits as MariaDB does. Whoever holds it reads what all others have committed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from django.db import connection, transaction
from django.utils import timezone

from metering.errors import QuotaExceededError
from metering.hooks import PRESENT
from metering.limits import limits_of, zone_of
from metering.meters import Meter, get_meter
from metering.models import Counter, UsageEntry
from metering.periods import NOW, day_of, end_of
from metering.services.notices import look_at_level


@dataclass(frozen=True, slots=True)
class Holder:
    """Who uses it: a broadcast by its id, or a word. title: as usage is listed."""

    organization: UUID
    key: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What was set aside, in stored units."""

    holder: Holder
    meter: str
    day: date
    amount: int


class Book:
    """A counter of a day and one holder's part of it, locked until the transaction ends."""

    def __init__(self, holder: Holder, meter: str, day: date) -> None:
        self.meter = get_meter(meter)
        self.day = day
        self.holder = holder
        self.limit = limits_of(holder.organization)[meter]
        self.counter = lock_counter(holder.organization, meter, day.isoformat())
        self.entry = _entry(holder, meter, day)

    @property
    def left(self) -> int | None:
        """What nobody has used or reserved; None = no limit."""
        if self.limit is None:
            return None
        return max(0, self.limit - self.counter.used - self.counter.reserved)

    def set_aside(self, amount: int) -> int:
        """Reserve so much, or what is left; how much it was."""
        if self.left is None:
            return amount  # without a limit there is nothing to keep for anybody
        granted = min(amount, self.left)
        self.counter.reserved += granted
        self.entry.reserved += granted
        return granted

    def use(self, amount: int) -> None:
        """Count it; what was reserved for it is given back apart."""
        self.counter.used += amount
        self.entry.used += amount

    def give_back(self, amount: int) -> None:
        """Free what was reserved and is not used."""
        freed = min(amount, self.entry.reserved)
        self.counter.reserved -= freed
        self.entry.reserved -= freed

    def close(self, *, is_exhausted: bool = False) -> None:
        """Write what has changed, and tell when most or all of it is used up."""
        self.entry.save(update_fields=["title", "used", "reserved", "updated_at"])
        look_at_level(self.counter, self.meter, self.limit, self.resets_at, is_exhausted)
        self.counter.save()

    @property
    def resets_at(self) -> datetime:
        return end_of(self.day, zone_of(self.holder.organization))

    def refusal(self) -> QuotaExceededError:
        """That there is not enough left."""
        taken = self.counter.used + self.counter.reserved
        return QuotaExceededError(
            self.meter, limit=self.limit or 0, used=taken, resets_at=self.resets_at
        )


def reserve(
    holder: Holder, meter: str, amount: int, *, least: int | None = None, now: datetime
) -> Reservation:
    """Set aside up to `amount` of today. Settle or release it.

    least: what must be left, the whole amount unless given. Raises QuotaExceededError when it is
    not; with 0 the answer may hold nothing, and then the quota counts as reached.
    """
    with transaction.atomic():
        book = Book(holder, meter, today(holder.organization, now))
        granted = book.set_aside(amount)
        if granted < (amount if least is None else least):
            raise book.refusal()
        book.close(is_exhausted=granted == 0 < amount)
    return Reservation(holder, meter, book.day, granted)


def settle(reservation: Reservation, used: int) -> None:
    """What was reserved is over: count what was used of it, give back the rest."""
    with transaction.atomic():
        book = Book(reservation.holder, reservation.meter, reservation.day)
        book.give_back(reservation.amount)
        book.use(used)
        book.close()


def release(reservation: Reservation) -> None:
    """Nothing of it was used."""
    settle(reservation, 0)


def count(holder: Holder, meter: str, amount: int, *, now: datetime) -> None:
    """Count what was used already; it is never refused."""
    with transaction.atomic():
        book = Book(holder, meter, today(holder.organization, now))
        book.use(amount)
        book.close()


def count_up_to(holder: Holder, meter: str, total: int, day: date) -> int:
    """The holder has used `total` in that day by now; what is still reserved for it.

    May be repeated, and by several at once: only what is new is counted.
    """
    with transaction.atomic():
        book = Book(holder, meter, day)
        new = max(0, total - book.entry.used)
        if new:
            book.give_back(new)
            book.use(new)
            book.close()
    return book.entry.reserved


def release_all(holder: Holder, meter: str, *, before: date | None = None) -> None:
    """Give back what the holder has reserved and not used. before: only of earlier days."""
    rows = UsageEntry.objects.filter(holder=holder.key, meter=meter, reserved__gt=0)
    days = rows.filter(day__lt=before) if before else rows
    for day in days.order_by("day").values_list("day", flat=True):
        with transaction.atomic():
            book = Book(holder, meter, day)
            book.give_back(book.entry.reserved)
            book.close()


def require_left(organization_id: UUID, meter: str, amount: int, *, now: datetime) -> None:
    """Raises QuotaExceededError unless so much is left of today; sets nothing aside."""
    limit = limits_of(organization_id)[meter]
    if limit is None:
        return
    zone = zone_of(organization_id)
    day = day_of(now, zone)
    taken = taken_of(organization_id, meter, day)
    if taken + amount > limit:
        resets_at = end_of(day, zone)
        raise QuotaExceededError(get_meter(meter), limit=limit, used=taken, resets_at=resets_at)


def taken_of(organization_id: UUID, meter: str, day: date) -> int:
    """What of a day is used or reserved, in stored units."""
    counter = Counter.objects.filter(
        organization=organization_id, meter=meter, period=day.isoformat()
    ).first()
    return counter.used + counter.reserved if counter else 0


def require_room(organization_id: UUID, meter: str, amount: int = 0) -> None:
    """For what has no period: raises QuotaExceededError when it is more than the limit.

    Call it in the transaction that makes the rows: after them, or before with their `amount`.
    Until that transaction ends nobody else can make some.
    """
    limit = limits_of(organization_id)[meter]
    if limit is None:
        return
    counter = lock_counter(organization_id, meter, NOW)
    present = PRESENT[meter](organization_id)
    if present + amount > limit:
        # With the rows made already, they are not what was there before.
        before = min(present, limit) if not amount else present
        raise QuotaExceededError(get_meter(meter), limit=limit, used=before, resets_at=None)
    note_present(counter, get_meter(meter), limit, present + amount)


def look_at_present(organization_id: UUID, meter: str) -> bool:
    """Whether the limit of what has no period is reached; tells it, once while it lasts."""
    limit = limits_of(organization_id)[meter]
    if limit is None:
        return False
    with transaction.atomic():
        counter = lock_counter(organization_id, meter, NOW)
        present = PRESENT[meter](organization_id)
        note_present(counter, get_meter(meter), limit, present)
    return present >= limit


def note_present(counter: Counter, meter: Meter, limit: int, present: int) -> None:
    counter.used = present
    look_at_level(counter, meter, limit, None, False)
    counter.save()


def today(organization_id: UUID, now: datetime) -> date:
    """The organization's day at this moment."""
    return day_of(now, zone_of(organization_id))


def lock_counter(organization_id: UUID, meter: str, period: str) -> Counter:
    """The row, made if need be, locked until the caller's transaction ends."""
    rows = Counter.objects.filter(organization=organization_id, meter=meter, period=period)
    if not rows.update(updated_at=timezone.now()):
        _make_counter(Counter(organization_id=organization_id, meter=meter, period=period))
    found: Counter = rows.select_for_update().get()
    return found


def _make_counter(counter: Counter) -> None:
    """Insert it, or lock the one that another has inserted meanwhile.

    In one statement: after a plain insert that finds the row there, MariaDB holds a shared lock,
    and two that both want it exclusively then wait for each other.
    """
    has_target = connection.features.supports_update_conflicts_with_target
    Counter.objects.bulk_create(
        [counter],
        update_conflicts=True,
        update_fields=["updated_at"],
        unique_fields=["organization", "meter", "period"] if has_target else None,
    )


def _entry(holder: Holder, meter: str, day: date) -> UsageEntry:
    entry, _made = UsageEntry.objects.get_or_create(
        organization_id=holder.organization, holder=holder.key, meter=meter, day=day
    )
    entry.title = holder.title or entry.title
    return entry
