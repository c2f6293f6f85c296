"""The one refusal of this app: there is not enough left."""

from __future__ import annotations

from datetime import UTC, datetime

from django.utils import timezone

from livestudio.common.errors import ConflictError
from metering.meters import Meter


class QuotaExceededError(ConflictError):
    """A limit of the organization's plan is reached; `data` says which, and when it is renewed."""

    code = "quota_exceeded"
    message = "A quota of this organization is used up."

    def __init__(self, meter: Meter, *, limit: int, used: int, resets_at: datetime | None) -> None:
        """limit, used: in stored units. resets_at: in the organization's zone."""
        shown, full = meter.shown(used), meter.shown(limit)
        text = f"The quota is used up: {meter.words}, {shown:g} of {full:g} in use."
        wait_seconds = None
        if resets_at is not None:
            text += f" It is renewed at {resets_at:%Y-%m-%d %H:%M} ({resets_at.tzinfo})."
            wait_seconds = max(1, round((resets_at - timezone.now()).total_seconds()))
        super().__init__(text, retry_after_seconds=wait_seconds)
        self.meter = meter.name
        self.data = {
            "meter": meter.name,
            "limit": full,
            "used": shown,
            "resets_at": moment(resets_at),
        }


def moment(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, or None."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
