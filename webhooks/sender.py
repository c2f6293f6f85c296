"""The sender: takes what is due from the outbox and posts it. Any number of them may run.

A few threads, each with one request at a time; a receiver that hangs holds at most two of them,
an organization's receivers together at most half.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import aiohttp
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections
from django.utils import timezone
from django.utils.translation import override

from inference import egress_http
from inference.egress import EgressError
from livestudio.common.log import get_logger
from livestudio.common.vault import VaultError
from webhooks.models import ANSWER_MAX_CHARACTERS, WebhookDelivery
from webhooks.services import deliveries
from webhooks.services.deliveries import Outcome
from webhooks.services.endpoints import open_secrets
from webhooks.signing import headers_of

log = get_logger(__name__)

AT_ONCE: Final = 8
LOOK_SECONDS: Final = 0.5
TROUBLE_SECONDS: Final = 2.0
CONNECT_SECONDS: Final = 5.0
TOTAL_SECONDS: Final = 15.0
ANSWER_SECONDS: Final = 2.0


class Sender:
    """Runs until told to stop; a stop waits for the requests that are under way."""

    def __init__(self, idle_seconds: float | None = None) -> None:
        """idle_seconds: end by itself after so long with nothing to send."""
        self._is_stopping = threading.Event()
        self._free = threading.Semaphore(AT_ONCE)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook")
        self._idle_seconds = idle_seconds
        self._busy_at = time.monotonic()

    def stop(self) -> None:
        """Take nothing more. Safe in a signal handler and from other threads."""
        self._is_stopping.set()

    def run(self) -> None:
        """Until `stop`, or nothing came for too long."""
        while not self._is_stopping.is_set():
            try:
                is_idle = not self._send_next()
            except (OperationalError, InterfaceError) as error:
                log.warning("database not reachable", reason=type(error).__name__)
                close_old_connections()
                self._is_stopping.wait(TROUBLE_SECONDS)
                continue
            if is_idle:
                self._rest()
        self._threads.shutdown(wait=True)

    def _rest(self) -> None:
        close_old_connections()
        limit = self._idle_seconds
        if limit is not None and time.monotonic() - self._busy_at > limit:
            self.stop()
        self._is_stopping.wait(LOOK_SECONDS)

    def _send_next(self) -> bool:
        """Hand one delivery to a thread; False when there is nothing to do now."""
        if not self._free.acquire(timeout=LOOK_SECONDS):
            return True
        delivery = None
        try:
            delivery = deliveries.claim_due(timezone.now())
        finally:
            if delivery is None:
                self._free.release()
        if delivery is None:
            return False
        self._busy_at = time.monotonic()
        self._threads.submit(self._deliver, delivery)
        return True

    def _deliver(self, delivery: WebhookDelivery) -> None:
        try:
            with override("en"):  # what is kept in rows is English
                deliveries.finish(delivery, post(delivery))
        except Exception:  # noqa: BLE001 - the edge: the claim ends by itself, and it is sent again
            log.exception("delivery not finished", delivery_id=str(delivery.pk))
        finally:
            close_old_connections()
            self._free.release()


def post(delivery: WebhookDelivery) -> Outcome:
    """One try, in at most TOTAL_SECONDS; never raises for what a receiver or its address does."""
    began = time.monotonic()
    try:
        return asyncio.run(_in_time(delivery, began))
    except VaultError as error:
        return _failure(began, error.message)
    except EgressError as error:
        return _failure(began, str(error))
    except TimeoutError:
        return _failure(began, f"No answer within {TOTAL_SECONDS:.0f} s.")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _failure(began, _trouble(error))
    except Exception as error:  # noqa: BLE001 - the edge: unnoted, it would be sent each minute
        log.exception("delivery failed in an unforeseen way", delivery_id=str(delivery.pk))
        return _failure(began, type(error).__name__)


async def _in_time(delivery: WebhookDelivery, began: float) -> Outcome:
    try:
        return await asyncio.wait_for(_post(delivery, began), TOTAL_SECONDS)
    finally:
        # A socket that was closed is let go of in the next turn of the loop, which ends here.
        await asyncio.sleep(0)


async def _post(delivery: WebhookDelivery, began: float) -> Outcome:
    webhook, body = delivery.webhook, delivery.body.encode()
    secrets = open_secrets(webhook)
    destination = await egress_http.check(webhook.url, allow=tuple(settings.EGRESS_ALLOW))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "LiveStudio-Webhooks/1",
        **headers_of(delivery.message_id, int(time.time()), body, secrets),
    }
    timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS)
    async with (
        egress_http.open_session(destination, timeout=timeout, auto_decompress=False) as session,
        session.post(
            egress_http.read_as_checked(webhook.url, destination),
            data=body,
            headers=headers,
            allow_redirects=False,
        ) as answer,
    ):
        said = await _beginning_of(answer)
        return Outcome(
            status_code=answer.status,
            latency_ms=_milliseconds_since(began),
            answer=said.decode(errors="replace").replace("\0", ""),
            error=_reason(answer.status),
            retry_after_seconds=_seconds(answer.headers.get("Retry-After", "")),
        )


async def _beginning_of(answer: aiohttp.ClientResponse) -> bytes:
    """Some of the answer for the log; its status counts, whatever becomes of the rest."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await answer.content.read(ANSWER_MAX_CHARACTERS)
    except (aiohttp.ClientError, OSError, TimeoutError):
        return b""


def _reason(status: int) -> str:
    if 200 <= status < 300:
        return ""
    if 300 <= status < 400:
        return f"It sends us elsewhere ({status}); give the address that answers itself."
    return f"It answered {status}."


def _trouble(error: Exception) -> str:
    """Why there was no answer, in words of ours: what a stranger's server says stays out."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "")
        return f"Its certificate is not valid: {reason or 'not trusted'}."
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return "It does not speak TLS, or none that we do."
    if isinstance(error, aiohttp.ClientConnectorError):
        # Of several addresses there is no one reason.
        code = error.os_error.errno
        reason = os.strerror(code) if code and code > 0 else "refused or unreachable"
        return f"{error.host}:{error.port} cannot be connected to: {reason}."
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return "It hung up without an answer."
    if isinstance(error, aiohttp.ClientResponseError):
        return "What it answered is not HTTP."
    return type(error).__name__


def _failure(began: float, error: str) -> Outcome:
    return Outcome(None, _milliseconds_since(began), error=error)


def _milliseconds_since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)


def _seconds(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
