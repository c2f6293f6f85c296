"""Receivers that redirect, drip, never end or speak no HTTP: each is a line of the log in words."""

from __future__ import annotations

import ssl
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from inference import egress
from tests.factories import Cast, api_client
from tests.front import write_certificate
from tests.services import free_port
from tests.webhooks.conftest import make_webhook
from tests.webhooks.odd_receiver import Answer, Line, odd_receiving
from tests.webhooks.receiver import receiving
from webhooks import sender
from webhooks.services import deliveries

pytestmark = pytest.mark.django_db

HEAD = b"HTTP/1.1 200 OK\r\n"
Log = dict[str, Any]


def tell(cast: Cast, url: str) -> Log:
    """Make a webhook over the API, press its test button, send it; what the log says then."""
    client = api_client(cast.alice)
    path = f"/api/v1/organizations/{cast.organization.pk}/webhooks/"
    made = client.post(path, {"url": url})
    assert made.status_code == 201, made.content
    path += f"{made.json()['id']}/"
    assert client.post(f"{path}test/").status_code == 202
    delivery = deliveries.claim_due(timezone.now())
    assert delivery is not None
    deliveries.finish(delivery, sender.post(delivery))
    (log,) = client.get(f"{path}deliveries/").json()["results"]
    assert [row["error"] for row in log["tries"]] == [log["error"]]
    return dict(log)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("inside", ["itself", "http://169.254.169.254/latest/meta-data/"])
def test_no_redirect_is_followed_and_the_log_says_so(cast: Cast, status: int, inside: str) -> None:
    with receiving() as elsewhere, receiving(status=status) as receiver:
        target = receiver.url if inside == "itself" else inside
        receiver.headers = {"Location": target.replace(receiver.url, elsewhere.url)}

        log = tell(cast, receiver.url)

    assert (log["state"], log["status_code"]) == ("waiting", status)
    assert log["error"] == (
        f"It sends us elsewhere ({status}); give the address that answers itself."
    )
    assert (len(receiver.received), elsewhere.received) == (1, [])


# --- never to the end ----------------------------------------------------------------------------


def drips_its_head(line: Line) -> None:
    line.send(HEAD + b"X-Slow: ")
    line.send_forever(b"x", every_seconds=0.01)


def promises_an_answer_for_ever(line: Line) -> None:
    line.send_forever(b"HTTP/1.1 103 Early Hints\r\n\r\n", every_seconds=0.01)


@pytest.mark.parametrize("answer", [drips_its_head, promises_an_answer_for_ever])
def test_receiver_that_drips_is_given_up(
    cast: Cast, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "TOTAL_SECONDS", 1.0)
    with odd_receiving(answer) as receiver:
        log = tell(cast, receiver.url)

    assert (log["state"], log["status_code"]) == ("waiting", None)
    assert log["error"] == "No answer within 1 s."
    assert receiver.lines[0].sent > 0


def test_name_that_is_looked_up_for_ever_takes_no_longer_than_a_try_may(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = make_webhook(cast)
    delivery = deliveries.send_test(webhook=webhook, actor=cast.alice)
    asked, is_over = threading.Event(), threading.Event()

    def never(host: str, port: int) -> list[str]:
        asked.set()
        is_over.wait(20)
        return []

    monkeypatch.setattr(egress, "resolve_host", never)
    monkeypatch.setattr(sender, "TOTAL_SECONDS", 0.5)
    began = time.monotonic()
    try:
        outcome = sender.post(delivery)
    finally:
        took = time.monotonic() - began
        is_over.set()

    assert asked.is_set()
    assert outcome.error == "No answer within 0 s."
    assert took < 10


def drips_its_body(line: Line) -> None:
    line.send(HEAD + b"Content-Length: 1000000\r\n\r\n")
    line.send_forever(b"x", every_seconds=0.01)


def never_says_its_body(line: Line) -> None:
    line.send(HEAD + b"Content-Length: 1000000\r\n\r\n")
    line.wait()


def never_ends(line: Line) -> None:
    line.send(HEAD + b"\r\n")
    line.send_forever(b"x" * 65536)


def never_ends_its_chunks(line: Line) -> None:
    line.send(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    line.send_forever(b"10000\r\n" + b"x" * 65536 + b"\r\n")


@pytest.mark.parametrize(
    "answer", [drips_its_body, never_says_its_body, never_ends, never_ends_its_chunks]
)
def test_of_an_answer_without_end_the_status_counts(
    cast: Cast, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "ANSWER_SECONDS", 0.2)
    with odd_receiving(answer) as receiver:
        log = tell(cast, receiver.url)

    assert (log["state"], log["status_code"], log["error"]) == ("delivered", 200, "")
    assert set(log["answer"]) <= {"x"}
    assert len(log["answer"]) <= 1000
    # What the kernel holds for a connection, and not what there was to be had.
    assert receiver.lines[0].sent < 64 * 1024 * 1024


# --- no answer at all ----------------------------------------------------------------------------


def says_nothing(line: Line) -> None:
    """It hangs up."""


def speaks_no_http(line: Line) -> None:
    line.send(b"\x00\xff\xfe SSH-2.0 \xed\xa0\x80\r\n\r\n")


def never_ends_its_head(line: Line) -> None:
    line.send(HEAD)
    line.send_forever(b"X-Many: 1\r\n")


def has_a_line_without_end(line: Line) -> None:
    line.send(HEAD + b"X-Long: ")
    line.send_forever(b"x" * 65536)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (says_nothing, "It hung up without an answer."),
        (speaks_no_http, "What it answered is not HTTP."),
        (never_ends_its_head, "What it answered is not HTTP."),
        (has_a_line_without_end, "What it answered is not HTTP."),
    ],
)
def test_what_is_no_answer_is_named(cast: Cast, answer: Answer, words: str) -> None:
    with odd_receiving(answer) as receiver:
        log = tell(cast, receiver.url)

    assert (log["state"], log["status_code"], log["error"]) == ("waiting", None, words)


def test_odd_bytes_of_an_answer_are_kept_as_text(cast: Cast) -> None:
    body = b"\x00\xff\xed\xa0\x80 ok \xf0\x9f\x98\x80"

    def answer(line: Line) -> None:
        line.send(b"HTTP/1.1 500 \xff\xfe\r\nX-\xc3\xa9: \xff\r\nRetry-After: \xd9\xa3\r\n")
        line.send(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    with odd_receiving(answer) as receiver:
        log = tell(cast, receiver.url)

    assert log["state"] == "waiting"
    assert "\0" not in log["answer"]


def test_fault_of_our_own_is_a_try_as_well(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("deep inside")

    monkeypatch.setattr(sender, "_post", fail)

    log = tell(cast, "http://127.0.0.1:9/")

    assert (log["state"], log["error"], len(log["tries"])) == ("waiting", "RuntimeError", 1)


# --- the way there -------------------------------------------------------------------------------


def test_certificate_that_nobody_vouches_for_is_named(cast: Cast, tmp_path: Path) -> None:
    with odd_receiving(never_ends, write_certificate(tmp_path)) as receiver:
        log = tell(cast, receiver.url)

    assert (log["state"], log["status_code"]) == ("waiting", None)
    assert log["error"] == "Its certificate is not valid: self-signed certificate."
    assert receiver.lines == []  # nothing was told to it


def test_certificate_of_another_name_is_named(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = write_certificate(tmp_path)  # for localhost
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("aiohttp.connector._SSL_CONTEXT_VERIFIED", trusting)
    with odd_receiving(never_ends, certificate) as receiver:
        wrong = tell(cast, receiver.url)
        right = tell(cast, receiver.url.replace("127.0.0.1", "localhost"))

    assert wrong["error"].startswith("Its certificate is not valid: IP address mismatch")
    assert (right["state"], right["error"]) == ("delivered", "")
    assert len(receiver.lines) == 1


def test_receiver_without_tls_is_named(cast: Cast) -> None:
    with odd_receiving(speaks_no_http, listens=False) as receiver:
        log = tell(cast, receiver.url.replace("http:", "https:"))

    assert log["state"] == "waiting"
    assert log["error"] == "It does not speak TLS, or none that we do."


def test_closed_port_is_named(cast: Cast) -> None:
    port = free_port()

    log = tell(cast, f"http://127.0.0.1:{port}/")

    assert log["error"] == f"127.0.0.1:{port} cannot be connected to: Connection refused."
