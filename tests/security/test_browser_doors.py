"""What other sites and tampered links try in a browser: posts, redirects, frames, sessions."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from django.core import mail
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from accounts.models import AuditEntry
from streams.models import ControlCommand
from tests.factories import PASSWORD, api_client
from tests.permissions.admin_table import DOORS, MODELS
from tests.permissions.stand_ins import put_stand_ins
from tests.permissions.world import World, make_worlds

pytestmark = pytest.mark.django_db

ELSEWHERE = (
    "https://evil.test/", "//evil.test", "///evil.test", "/\\evil.test", "\\\\evil.test",
    "https:evil.test", "http:///evil.test", "javascript:alert(1)", "data:text/html,x",
    "\tjavascript:alert(1)",
    "https://testserver@evil.test/", "https://testserver.evil.test/", "/%09/evil.test",
    "/\t/evil.test", "//evil.test/%2f..", "https://evil.test\r\nSet-Cookie: owned=1",
    "\u202e//evil.test",
)  # fmt: skip


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    put_stand_ins(monkeypatch)
    return make_worlds()[0]


def browser(user: Any, **options: Any) -> Client:
    client = Client(raise_request_exception=False, **options)
    client.force_login(user)
    return client


def test_no_button_of_the_admin_obeys_another_site(world: World) -> None:
    """A page elsewhere can make a browser post, with its cookies, but cannot read our token."""
    client = browser(world.cast.alice, enforce_csrf_checks=True)
    posts = [
        (reverse(f"admin:{name.partition(' ')[0]}", kwargs=door.kwargs(world)), door.body(world))
        for name, door in DOORS.items()
        if door.method == "post"
    ]
    for label, lists in MODELS.items():
        page = f"admin:{label.lower().replace('.', '_')}"
        posts.append((reverse(f"{page}_changelist"), {"action": "delete_selected"}))
        posts.append((reverse(f"{page}_add"), {}))
        for form in ("change", "delete"):
            posts.append((reverse(f"{page}_{form}", args=[lists.row(world).pk]), {"post": "yes"}))
    before = AuditEntry.objects.count(), ControlCommand.objects.count()

    answers = {
        (path, *extra): client.post(path, body, headers=dict([extra] if extra else [])).status_code
        for path, body in posts
        for extra in ((), ("Origin", "https://evil.test"), ("X-CSRFToken", "x" * 64))
    }

    assert {path for path, status in answers.items() if status != 403} == set()
    assert (AuditEntry.objects.count(), ControlCommand.objects.count()) == before


def test_api_takes_no_session_cookie(world: World) -> None:
    """So no page elsewhere can use it with the cookies of a browser."""
    client = browser(world.cast.alice)

    assert client.get("/api/v1/shows/").status_code == 401
    assert client.post("/api/v1/shows/", {}, content_type="application/json").status_code == 401


@pytest.mark.parametrize("target", ELSEWHERE)
def test_no_door_leads_to_another_site(world: World, target: str) -> None:
    signed_in, nobody = browser(world.cast.alice), Client(raise_request_exception=False)
    button = DOORS["live_button pause"].kwargs(world)
    answers = [
        signed_in.post(reverse("admin:live_button", kwargs=button), {"next": target}),
        signed_in.post(reverse("admin:language"), {"next": target, "language": "en"}),
        signed_in.post(
            reverse("admin:language"), {"language": "en"}, headers={"Referer": target[:40]}
        ),
        nobody.post("/admin/login/", {"next": target, "username": "alice", "password": PASSWORD}),
        signed_in.get("/admin/login/", {"next": target}),
        signed_in.get("/admin/" + target.lstrip("/")),
        nobody.get("/" + target),
    ]

    for answer in answers:
        where = urlsplit(answer.headers.get("Location", "/"))
        assert (where.scheme, where.netloc) in {("", ""), ("http", "testserver")}, where
        assert not answer.headers.get("Location", "/").startswith(("//", "/\\"))
        assert "owned" not in str(answer.cookies)


@pytest.mark.parametrize("who", ["nobody", pytest.param("alice", marks=pytest.mark.long)])
def test_no_page_is_shown_in_a_frame_or_sniffed(world: World, who: str) -> None:
    """Every address there is."""
    nobody = Client(raise_request_exception=False)
    client = nobody if who == "nobody" else browser(world.cast.alice)
    for path in _addresses():
        answer = client.get(path)
        assert answer.headers.get("X-Frame-Options") == "DENY", path
        assert answer.headers.get("X-Content-Type-Options") == "nosniff", path
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"], path
        assert "unsafe-eval" not in answer.headers["Content-Security-Policy"], path


def test_session_gets_another_key_at_sign_in_and_ends_at_sign_out(world: World) -> None:
    client = Client()
    client.get("/admin/login/")
    client.cookies["sessionid"] = "planted-by-somebody-else-000000000"
    client.post("/admin/login/", {"username": "alice", "password": PASSWORD})
    key = client.cookies["sessionid"].value
    thief = Client()
    thief.cookies["sessionid"] = key
    assert thief.get("/admin/").status_code == 200
    planted = Client()
    planted.cookies["sessionid"] = "planted-by-somebody-else-000000000"

    client.post("/admin/logout/")

    assert key != "planted-by-somebody-else-000000000"
    assert planted.get("/admin/").status_code == 302
    assert thief.get("/admin/").status_code == 302


def test_new_password_ends_every_session_of_the_admin(world: World) -> None:
    client = browser(world.cast.alice)
    world.cast.alice.set_password("another-horse-battery")
    world.cast.alice.save()

    assert client.get("/admin/").status_code == 302


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(world: World) -> None:
    client = Client()
    client.post("/admin/login/", {"username": "alice", "password": PASSWORD})
    body = {"username": "alice", "password": PASSWORD, "client": "browser"}
    answer = api_client().post("/api/v1/auth/token/", body)

    session = client.cookies["sessionid"]
    assert (session["httponly"], session["samesite"]) == (True, "Lax")
    assert answer.cookies
    for cookie in answer.cookies.values():
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Strict"), cookie.key


@pytest.mark.parametrize("kind", ["recording", "picture", "thumbnail"])
def test_signed_address_is_good_for_its_row_and_time_only(world: World, kind: str) -> None:
    alice, nobody = api_client(world.cast.alice), api_client()
    other = {"recording": "picture", "picture": "thumbnail", "thumbnail": "recording"}[kind]
    urls = _signed_addresses(world, alice)
    path, _, signature = urls[kind].partition("?signature=")
    foreign = urls[other].partition("?signature=")[2]
    tampered = [
        "", signature[:-1], signature + "0", signature.upper(), signature[::-1], "0" * 32, foreign,
        "é" * 32, "\x00", f"{signature}&signature=x", "[]", "' OR 1=1 --",
    ]  # fmt: skip

    assert nobody.get(urls[kind]).status_code == 200
    for forged in tampered:
        answer = nobody.get(path, {"signature": forged})
        assert answer.status_code in (401, 404), (forged, answer.status_code)
    with time_machine.travel(time.time() + 24 * 3600 + 60, tick=False):
        assert nobody.get(urls[kind]).status_code in (401, 404)


def test_link_of_a_mail_names_our_host_whatever_the_request_said(
    world: World, settings: Any
) -> None:
    settings.ALLOWED_HOSTS = ["studio.example.org"]
    settings.MAIL = "sent"
    body = {"email": world.cast.alice.email}
    path = "/api/v1/auth/password/reset/"
    ours = {"HTTP_HOST": "studio.example.org"}

    for host in (
        "evil.test",
        "studio.example.org.evil.test",
        "studio.example.org@evil.test",
        "a b",
    ):
        assert api_client().post(path, body, HTTP_HOST=host).status_code == 400, host
    for name in ("X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"):
        cache.clear()
        mail.outbox.clear()
        answer = api_client().post(path, body, **ours, headers={name: "evil.test"})
        assert answer.status_code < 300, (name, answer.content)
        for letter in mail.outbox:
            assert re.findall(r"https?://[^/\s]+", str(letter.body)) == [
                "http://studio.example.org"
            ]


def _signed_addresses(world: World, client: Any) -> dict[str, str]:
    base = f"/api/v1/broadcasts/{world.broadcast.pk}/"
    recordings = client.get(f"{base}recordings/").json()
    picture = client.get(f"/api/v1/pictures/{world.picture.pk}/").json()
    found = {
        "recording": recordings["results"][0]["file_url"],
        "picture": picture["image_url"],
        "thumbnail": client.get(base).json()["thumbnail_url"],
    }
    return {kind: url[url.index("/api/") :] for kind, url in found.items()}


def _addresses() -> Iterator[str]:
    """Every address of the URL configuration, with an id of nothing where one is named."""
    example = "01a1fcb7-0000-7000-8000-000000000000"
    for route in _routes(get_resolver().url_patterns, ""):
        yield "/" + re.sub(r"<\w*:?\w+>|\(\?P<\w+>[^)]*\)", example, route).replace("^", "").rstrip(
            "$"
        )
    yield from ("/none/", "/api/v1/none/", "/admin/none/", "/watch/x/", "/livez/")


def _routes(patterns: list[Any], before: str) -> Iterator[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            yield route
