"""How many passwords are worked on at once: each costs a quarter of a second of a processor.

Sixty tries a minute are one address's right; from a hundred addresses they would leave no thread of
the web process, and no processor, to anybody else.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from livestudio.common.errors import UnavailableError
from livestudio.common.places import Places

BUSY_RETRY_SECONDS: Final = 5


class SignInBusyError(UnavailableError):
    """As many as may wait are being checked at this moment."""

    message = "Too many people sign in at this moment. Try again in a few seconds."


# Those who wait hold a thread: a quarter of the threads stays free of passwords.
WAITING: Final = Places(each=settings.WEB_THREADS, total=max(1, settings.WEB_THREADS * 3 // 4))
_AT_WORK: Final = threading.BoundedSemaphore(os.cpu_count() or 1)


@contextmanager
def password_work() -> Iterator[None]:
    """Hold this around whatever computes a password's hash. Raises SignInBusyError (503)."""
    with WAITING.hold("", SignInBusyError(retry_after_seconds=BUSY_RETRY_SECONDS)), _AT_WORK:
        yield
