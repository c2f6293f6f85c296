"""Sending mail without keeping the reader of the page waiting, and without telling who exists.

One thread sends, so that an answer takes as long for a known address as for an unknown one. What
cannot be sent is logged; every mail here can be asked for again.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.db import transaction

from accounts.errors import MailOffError
from livestudio.common.log import get_logger

log = get_logger(__name__)

# To one address, of one kind: who fills in a form often must not fill a stranger's mailbox.
MAILS_PER_HOUR: Final = 4
_HOUR_SECONDS: Final = 3600
_sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="mail")


@dataclass(frozen=True, slots=True)
class Mail:
    """kind: what it is about, for the limit."""

    kind: str
    to: str
    subject: str
    text: str


def require_mail() -> None:
    """Raises MailOffError where this site neither sends nor prints mail."""
    if settings.MAIL == "off":
        raise MailOffError


def send(message: Mail) -> None:
    """Send after the commit, unless this address got too many of this kind. Raises MailOffError."""
    require_mail()
    if _is_too_much(message):
        log.warning("mail not sent: too many to this address", kind=message.kind)
        return
    transaction.on_commit(lambda: _queue(message))


def wait_until_sent() -> None:
    """Return when everything that was queued before has left."""
    _sender.submit(lambda: None).result()


def _queue(message: Mail) -> None:
    _sender.submit(_deliver, message)


def _deliver(message: Mail) -> None:
    try:
        mail.send_mail(message.subject, message.text, None, [message.to])
    except Exception:  # noqa: BLE001 - the edge: the thread goes on with the next
        log.exception("mail failed", kind=message.kind)


def _is_too_much(message: Mail) -> bool:
    who = hashlib.sha256(message.to.lower().encode()).hexdigest()
    key = f"mail:{message.kind}:{who}"
    cache.add(key, 0, _HOUR_SECONDS)
    try:
        return bool(cache.incr(key) > MAILS_PER_HOUR)
    except ValueError:  # the hour ended this moment
        return False
