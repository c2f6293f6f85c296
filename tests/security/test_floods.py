"""Who asks without end is told to wait, and leaves threads and runners to others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client as Browser

from accounts.services import hashing
from accounts.services.locks import require_unlocked
from inference.runner import offers as runner_offers
from livestudio.common.errors import UnavailableError
from livestudio.common.networks import network_of
from livestudio.common.places import Places
from streams.models import Broadcast, ConnectionTicket, ControlCommand
from streams.services import commands, offers
from streams.services.offers import VIEWER_MAX_CANDIDATES
from tests.factories import PASSWORD, Cast, error_of, make_cast
from tests.streams.plans import Client, put_live
from tests.streams.test_watching_api import OFFER, Runner, post_offer, set_visibility
from tests.streams.test_watching_api import runner as runner

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    cache.clear()
    return make_cast()


@pytest.fixture
def broadcast(cast: Cast) -> Broadcast:
    """Live, for everybody to watch."""
    broadcast = put_live(cast)
    set_visibility(broadcast, "public")
    return broadcast


@pytest.fixture
def nobody() -> Client:
    return Client(None)


@pytest.fixture
def no_place(request: pytest.FixtureRequest) -> Iterator[Places]:
    """All places are taken by others."""
    places: Places = request.param
    taken = [str(number) for number in range(places.total)]
    assert all(places.take(name) for name in taken)
    yield places
    for name in taken:
        places.leave(name)


def is_told_to_wait(answer: Any, status: int, code: str) -> bool:
    told = (answer.status_code, error_of(answer)["code"])
    return told == (status, code) and int(answer["Retry-After"]) >= 1


# --- places --------------------------------------------------------------------------------------


def test_places_are_shared_out_and_given_back() -> None:
    places = Places(each=2, total=3)

    assert [places.take(key) for key in "aaabb"] == [True, True, False, True, False]
    places.leave("a")
    assert places.take("b")
    for key in "abb":
        places.leave(key)
    assert len(places) == 0


def test_many_threads_never_hold_more_places_than_there_are() -> None:
    places, most, start = Places(each=4, total=4), [0], threading.Barrier(16)

    def ask() -> None:
        start.wait()
        for _ in range(300):
            if places.take("x"):
                most[0] = max(most[0], len(places))
                places.leave("x")

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 <= most[0] <= 4
    assert len(places) == 0


def test_place_is_given_back_when_the_work_fails() -> None:
    places = Places(each=1, total=1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), places.hold("x", UnavailableError()):
            raise ZeroDivisionError
    assert len(places) == 0


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("2001:db8::1", "2001:db8::"),
        ("2001:db8::ffff:1:2:3", "2001:db8::"),
        ("2001:db8:0:1::1", "2001:db8:0:1::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::1"),
        ("", ""),
        ("unix:", "unix:"),
    ],
)
def test_addresses_of_one_network_count_as_one(address: str, counted: str) -> None:
    assert network_of(address) == counted


@pytest.mark.usefixtures("cast")
def test_another_address_of_the_network_buys_no_tries(settings: Any) -> None:
    settings.REQUESTS_PER_MINUTE = {**settings.REQUESTS_PER_MINUTE, "sign_in": 2}
    body = {"username": "alice", "password": "wrong"}

    tries = [
        Browser().post("/api/v1/auth/token/", body, "application/json", REMOTE_ADDR=address)
        for address in ("2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1")
    ]

    assert [answer.status_code for answer in tries] == [401, 401, 429, 401]


# --- watching ------------------------------------------------------------------------------------


def test_address_joins_so_often_in_a_minute(
    broadcast: Broadcast, nobody: Client, runner: Runner, settings: Any
) -> None:
    settings.REQUESTS_PER_MINUTE = {**settings.REQUESTS_PER_MINUTE, "joining": 4}
    ticket = {"purpose": "watch", "broadcast": str(broadcast.pk)}

    taken = [post_offer(nobody, broadcast.pk).status_code for _ in range(2)]
    taken += [nobody.post("ws-tickets/", ticket).status_code for _ in range(2)]
    offer, another = post_offer(nobody, broadcast.pk), nobody.post("ws-tickets/", ticket)

    assert taken == [201] * 4
    assert is_told_to_wait(offer, 429, "throttled")
    assert is_told_to_wait(another, 429, "throttled")
    assert len(runner.heard) == 2
    assert ConnectionTicket.objects.count() == 2
    assert nobody.get(f"broadcasts/{broadcast.pk}/thumbnail/").status_code == 404


@pytest.mark.parametrize("no_place", [offers.OFFERS_WAITING], indirect=True)
def test_offers_that_wait_for_a_runner_leave_threads_to_others(
    broadcast: Broadcast, nobody: Client, runner: Runner, no_place: Places
) -> None:
    assert is_told_to_wait(post_offer(nobody, broadcast.pk), 503, "viewer_limit")
    assert runner.heard == []

    no_place.leave("0")
    assert post_offer(nobody, broadcast.pk).status_code == 201
    assert no_place.take("0")


@pytest.mark.parametrize(
    "more",
    ["m=audio 9 UDP/TLS/RTP/SAVPF 0\r\n" * 8, "a=candidate:1\r\n" * 101, "a=x\r\n" * 20_000],
)
def test_offer_without_bounds_is_refused(
    broadcast: Broadcast, nobody: Client, runner: Runner, more: str
) -> None:
    answer = post_offer(nobody, broadcast.pk, OFFER + more)

    assert answer.status_code == 400, answer.content
    assert runner.heard == []


def test_web_and_runner_have_the_same_bounds() -> None:
    for name in ("OFFER_MAX_SECTIONS", "VIEWER_MAX_CANDIDATES"):
        assert getattr(offers, name) == getattr(runner_offers, name)


def test_address_stands_for_its_viewers_unless_it_is_a_proxy_of_ours() -> None:
    """Behind a proxy that tells no addresses a whole audience comes from this machine."""
    known = [offers.source_of(address) for address in ("203.0.113.9", "203.0.113.8", "2001:db8::1")]
    unknown = ("127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1", "", "a socket")

    assert all(known)
    assert len(set(known)) == 3
    assert {offers.source_of(address) for address in unknown} == {""}


def test_candidates_of_a_viewer_have_an_end(
    broadcast: Broadcast, nobody: Client, runner: Runner
) -> None:
    location = post_offer(nobody, broadcast.pk)["Location"]
    fragment = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\r\n" * 25
    kind = "application/trickle-ice-sdpfrag"

    answers = [nobody.raw.generic("PATCH", location, fragment, content_type=kind) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [204] * 4 + [429]
    assert is_told_to_wait(answers[-1], 429, "throttled")
    assert len(runner.heard) == 1 + VIEWER_MAX_CANDIDATES


# --- steering ------------------------------------------------------------------------------------


@pytest.mark.parametrize("no_place", [commands.ANSWERS_AWAITED], indirect=True)
@pytest.mark.usefixtures("no_place")
def test_commands_to_a_silent_runner_leave_threads_to_others(
    cast: Cast, broadcast: Broadcast
) -> None:
    answer = Client(cast.alice).post(f"broadcasts/{broadcast.pk}/interrupt/", {})

    assert is_told_to_wait(answer, 503, "runner_unreachable")
    assert "未被接收" in error_of(answer)["message"]
    assert not ControlCommand.objects.filter(broadcast=broadcast, name="interrupt").exists()


@pytest.mark.parametrize("no_place", [commands.ANSWERS_AWAITED], indirect=True)
@pytest.mark.usefixtures("no_place")
def test_commands_that_nobody_waits_for_need_no_place(cast: Cast, broadcast: Broadcast) -> None:
    assert Client(cast.alice).post(f"broadcasts/{broadcast.pk}/pause/", {}).status_code == 202


# --- sign-in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("no_place", [hashing.WAITING], indirect=True)
@pytest.mark.usefixtures("no_place")
@pytest.mark.parametrize("path", ["auth/token/", "auth/register/"])
def test_passwords_of_many_leave_threads_to_others(cast: Cast, nobody: Client, path: str) -> None:
    body = {
        "username": "zoe" if "register" in path else "alice",
        "password": PASSWORD,
        "email": "zoe@example.org",
        "organization": "Zoe",
    }
    if "token" in path:
        body = {name: body[name] for name in ("username", "password")}

    for _ in range(7):
        assert is_told_to_wait(nobody.post(path, body), 503, "unavailable")

    require_unlocked("password:alice:127.0.0.1")  # nobody guessed


@pytest.mark.parametrize("no_place", [hashing.WAITING], indirect=True)
@pytest.mark.usefixtures("cast", "no_place")
def test_admin_says_that_many_sign_in() -> None:
    answer = Browser().post("/admin/login/", {"username": "alice", "password": PASSWORD})

    assert answer.status_code == 200
    assert "此刻登录的人太多" in answer.content.decode()
