"""Whether a consent lets somebody be seen or heard now, in words for the host.

In English, as every reason is kept; `livestudio.common.reasons` has the Chinese.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from accounts.models import Consent

Problem = Literal["missing", "revoked", "expired", "no_document", "other_show", "not_commercial"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something that shows a person must not be on air. message: for the host."""

    problem: Problem
    message: str


@dataclass(frozen=True, slots=True)
class Use:
    """What a person is to be seen or heard in, and when."""

    show: UUID
    is_commercial: bool
    now: datetime


def why_not(consent: Consent | None, use: Use, *, name: str, is_needed: bool) -> Refusal | None:
    """What keeps a presenter or voice called `name` from this use; None when nothing does.

    is_needed: it is of a real person by its kind. A consent that is on record counts in any case.
    """
    if consent is None:
        text = f"“{name}” is of a real person: put their consent on record first."
        return Refusal("missing", text) if is_needed else None
    person = consent.subject
    if consent.revoked_at is not None:
        return Refusal("revoked", f"The consent of {person} for “{name}” was revoked.")
    if consent.expires_at is not None and consent.expires_at <= use.now:
        return Refusal("expired", f"The consent of {person} for “{name}” has expired.")
    if consent.shows and str(use.show) not in consent.shows:
        text = f"The consent of {person} for “{name}” is not for this show."
        return Refusal("other_show", text)
    if use.is_commercial and not consent.is_commercial:
        text = f"The consent of {person} for “{name}” is not for commercial use."
        return Refusal("not_commercial", text)
    if is_needed and not consent.document:
        text = f"The signed document of {person} for “{name}” is missing."
        return Refusal("no_document", text)
    return None
