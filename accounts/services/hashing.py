"""How many passwords are worked on at once: each costs a quarter of a second of a processor.

Sixty tries a minute are one address's right. At once, they or those of a hundred addresses would
leave no thread of the web process, and no processor, to anybody else.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final

from django.conf import settings

from livestudio.common.errors import TooManyRequestsError, UnavailableError
from livestudio.common.networks import is_of_a_network
from livestudio.common.places import Places

BUSY_RETRY_SECONDS: Final = 5


class SignInBusyError(UnavailableError):
    """As many as may wait are being checked at this moment."""

    message = "Too many people sign in at this moment. Try again in a few seconds."


class AddressBusyError(TooManyRequestsError):
    """The address has its share of the places already."""

    message = "Your network checks too many passwords at this moment. Try again in a few seconds."


# Those who wait hold a thread: a quarter of the threads stays free of passwords.
WAITING: Final = Places(each=settings.WEB_THREADS, total=max(1, settings.WEB_THREADS * 3 // 4))
# Of those an address, or an IPv6 network, has a quarter.
SHARES: Final = Places(each=max(1, WAITING.total // 4), total=WAITING.total)
_AT_WORK: Final = threading.BoundedSemaphore(os.cpu_count() or 1)


@contextmanager
def password_work(address: str) -> Iterator[None]:
    """Hold this around whatever computes a password's hash.

    address: who asked, as throttles count; "" = this machine, which has no share. Raises
    AddressBusyError (429), SignInBusyError (503).
    """
    everybody = WAITING.hold("", SignInBusyError(retry_after_seconds=BUSY_RETRY_SECONDS))
    with _share_of(address), everybody, _AT_WORK:
        yield


def _share_of(address: str) -> AbstractContextManager[None]:
    if not is_of_a_network(address):
        return nullcontext()
    return SHARES.hold(address, AddressBusyError(retry_after_seconds=BUSY_RETRY_SECONDS))
