"""What is deleted by itself, and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import DeviceSession, IdempotencyRecord, Invitation
from accounts.services import housekeeping
from tests.factories import Cast, access_token, make_invitation

pytestmark = [pytest.mark.django_db, pytest.mark.database]
NOW = timezone.now


def test_ended_sign_ins_go_after_a_month_and_open_ones_stay(cast: Cast) -> None:
    for _ in range(4):
        access_token(cast.alice)
    old, fresh, unused, open_one = DeviceSession.objects.order_by("created_at")
    DeviceSession.objects.filter(pk=old.pk).update(revoked_at=NOW() - timedelta(days=31))
    DeviceSession.objects.filter(pk=fresh.pk).update(revoked_at=NOW() - timedelta(days=29))
    DeviceSession.objects.filter(pk=unused.pk).update(last_used_at=NOW() - timedelta(days=45))

    counts = housekeeping.sweep(NOW())

    assert counts["sessions"] == 2
    assert set(DeviceSession.objects.all()) == {fresh, open_one}


def test_closed_invitations_go_after_three_months(cast: Cast) -> None:
    old = make_invitation(cast, "old@example.org")
    fresh = make_invitation(cast, "fresh@example.org")
    Invitation.objects.filter(pk=old.pk).update(expires_at=NOW() - timedelta(days=91))
    Invitation.objects.filter(pk=fresh.pk).update(expires_at=NOW() - timedelta(days=89))

    assert housekeeping.sweep(NOW())["invitations"] == 1

    assert list(Invitation.objects.all()) == [fresh]


def test_kept_answers_go_after_a_day_a_bounded_number_at_a_time(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "ROWS_PER_SWEEP", 2)
    rows = [IdempotencyRecord(user=cast.alice, key=str(n), fingerprint="x") for n in range(4)]
    IdempotencyRecord.objects.bulk_create(rows)
    IdempotencyRecord.objects.exclude(key="3").update(created_at=NOW() - timedelta(hours=25))

    swept = [housekeeping.sweep(NOW())["answers"] for _ in range(3)]

    assert swept == [2, 1, 0]
    assert IdempotencyRecord.objects.get().key == "3"
