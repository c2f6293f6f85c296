"""The lock after too many wrong guesses, of a password or of a code."""

from __future__ import annotations

import hashlib
import math
import time
from typing import Final

from django.core.cache import cache

from accounts.errors import SignInLockedError

WRONG_GUESSES_ALLOWED: Final = 5
LOCK_SECONDS: Final = 300


def require_unlocked(subject: str) -> None:
    """subject: what is guessed, and by whom. Raises SignInLockedError with the seconds left."""
    ends_at = cache.get(_key("lock", subject))
    if ends_at is not None and ends_at > time.time():
        raise SignInLockedError(retry_after_seconds=math.ceil(ends_at - time.time()))


def note_wrong_guess(subject: str) -> None:
    """Count one; the last that is allowed locks."""
    if _count(subject) >= WRONG_GUESSES_ALLOWED:
        _lock(subject)
        cache.delete(_key("guesses", subject))


def take_guess(subject: str) -> None:
    """Count one before it is judged, so that of many at once no more are than are allowed.

    Call `forget_wrong_guesses` if it was right. Raises SignInLockedError.
    """
    require_unlocked(subject)
    if cache.get(_key("lock", subject)) is not None:
        forget_wrong_guesses(subject)  # the lock has ended, and its guesses with it
    count = _count(subject)
    if count >= WRONG_GUESSES_ALLOWED:
        _lock(subject)
    if count > WRONG_GUESSES_ALLOWED:
        raise SignInLockedError(retry_after_seconds=LOCK_SECONDS)


def forget_wrong_guesses(subject: str) -> None:
    """The guess was right."""
    cache.delete_many([_key("guesses", subject), _key("lock", subject)])


def _count(subject: str) -> int:
    counter = _key("guesses", subject)
    cache.add(counter, 0, LOCK_SECONDS)
    try:
        return int(cache.incr(counter))
    except ValueError:  # it ended this moment: the first of a new row
        cache.set(counter, 1, LOCK_SECONDS)
        return 1


def _lock(subject: str) -> None:
    cache.set(_key("lock", subject), time.time() + LOCK_SECONDS, LOCK_SECONDS)


def _key(kind: str, subject: str) -> str:
    # Hashed: what somebody typed as a name may be too long, or no key at all.
    return f"sign-in:{kind}:{hashlib.sha256(subject.encode()).hexdigest()}"
