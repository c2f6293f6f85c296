"""Probes, pages and what browsers are told about them."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import resolve
from django.utils import timezone

from accounts.models import Organization
from accounts.roles import SYSTEM
from accounts.services.exports import request_export
from inference.models import Node
from inference.services import note_chores, note_node
from livestudio import pages
from livestudio.common.headers import BrowserHeadersMiddleware
from livestudio.metrics import note_request
from metering.models import Plan
from metering.services import plans
from metering.services.counting import Holder, count
from streams.models import Broadcast, Show
from tests.factories import AvatarFactory, VoiceFactory, make_cast
from webhooks.models import Webhook, WebhookDelivery
from webhooks.services.deliveries import send_test
from webhooks.services.endpoints import create_webhook

pytestmark = pytest.mark.django_db


def test_livez_needs_no_database(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(0):
        answer = Client().get("/livez")

    assert answer.status_code == 200


@pytest.fixture
def control_loop() -> None:
    note_node("here")


@pytest.mark.usefixtures("control_loop")
def test_readyz_names_each_part() -> None:
    answer = Client().get("/readyz")

    assert answer.status_code == 200, answer.content
    assert answer.json() == {
        "ready": True,
        "parts": {
            "database": "ok",
            "migrations": "ok",
            "channel_layer": "ok",
            "disk": "ok",
            "control_loop": "ok",
        },
    }


def test_readyz_misses_a_control_loop(settings: Any) -> None:
    never = Client().get("/readyz").json()["parts"]["control_loop"]
    note_node("here")
    Node.objects.update(last_seen_at=timezone.now() - timedelta(seconds=61))
    silent = Client().get("/readyz")

    assert never == silent.json()["parts"]["control_loop"]
    assert "no control loop" in never
    assert silent.status_code == 503


@pytest.mark.usefixtures("control_loop")
def test_readyz_says_which_part_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down() -> None:
        raise OSError("password of the database")

    monkeypatch.setitem(pages.PROBES, "database", break_down)
    monkeypatch.setattr(pages, "FREE_DISK_MIB_NEEDED", 1 << 60)

    answer = Client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["parts"] == {
        "database": "failed",
        "migrations": "ok",
        "channel_layer": "ok",
        "disk": "the disk is almost full",
        "control_loop": "ok",
    }
    assert b"password" not in answer.content


def test_readyz_sees_migrations_that_are_not_applied() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'voices'")

    answer = Client().get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["parts"]["migrations"] == "migrations are not applied"


def test_metrics_are_for_allowed_addresses_only() -> None:
    here = Client().get("/metrics")
    elsewhere = Client().get("/metrics", REMOTE_ADDR="203.0.113.9")

    assert here.status_code == 200
    assert b"process_cpu_seconds_total" in here.content
    assert elsewhere.status_code == 404


def test_metrics_tell_the_numbers_of_what_is_on_air() -> None:
    cast = make_cast()
    avatar = AvatarFactory(organization=cast.organization)
    voice = VoiceFactory(organization=cast.organization)
    show = Show.objects.create(
        organization=cast.organization, title="News", avatar=avatar, voice=voice
    )
    live, over = (
        Broadcast.objects.create(
            organization=cast.organization,
            show=show,
            state=state,
            metrics={"fps": 25, "source": "worker", "readers": {"rtmp": {"dropped": 3}}},
        )
        for state in ("live", "ended")
    )

    text = Client().get("/metrics").content.decode()

    assert 'livestudio_broadcasts{state="live"} 1.0' in text
    assert 'livestudio_outputs{state="live"} 0.0' in text
    assert 'livestudio_broadcasts{state="starting"} 0.0' in text
    number = f'livestudio_broadcast_number{{broadcast="{live.pk}",name='
    assert f'{number}"fps"}} 25.0' in text
    assert f'{number}"readers.rtmp.dropped"}} 3.0' in text
    assert "source" not in text
    assert str(over.pk) not in text


def test_metrics_count_requests_by_route_and_hold_nothing_of_them() -> None:
    request = RequestFactory().generic("SPY", "/api/v1/shows/secret-id/?token=secret")
    request.resolver_match = resolve("/livez")
    note_request(request, 404, 0.02)

    text = Client().get("/metrics").content.decode()

    found = 'livestudio_request_seconds_count{method="other",route="livez",status="4xx"}'
    assert found in text
    assert "secret" not in text


def test_metrics_tell_since_when_no_control_loop_was_seen() -> None:
    note_node("here")

    text = Client().get("/metrics").content.decode()

    line = next(x for x in text.splitlines() if x.startswith("livestudio_control_loop_silence"))
    assert 0 <= float(line.split()[1]) < 60


@pytest.mark.usefixtures("still_clock")  # what is used up is so until midnight
def test_metrics_tell_what_waits_and_which_quotas_are_used_up(settings: Any) -> None:
    settings.EGRESS_ALLOW = ("loopback",)
    cast, now = make_cast(), timezone.now()
    webhook, _ = create_webhook(
        organization=cast.organization, values={"url": "http://127.0.0.1:9/"}, actor=cast.alice
    )
    send_test(webhook=webhook, actor=cast.alice)
    WebhookDelivery.objects.update(next_try_at=now - timedelta(minutes=5))
    Webhook.objects.update(failing_since=now)
    quiet = Webhook.objects.create(organization=cast.elsewhere, url="http://127.0.0.1:9/")
    Webhook.objects.filter(pk=quiet.pk).update(is_active=False, disabled_reason="gone")
    request_export(organization=cast.organization, with_recordings=False, actor=cast.alice)
    Organization.objects.filter(pk=cast.elsewhere.pk).update(delete_after=now - timedelta(hours=1))
    plan = Plan.objects.create(name="Small")
    plans.set_plan_limits(plan=plan, limits={"broadcast_minutes": 10}, actor=SYSTEM)
    plans.assign_plan(organization=cast.organization, plan=plan, actor=SYSTEM)
    count(Holder(cast.organization.pk, "b"), "broadcast_minutes", 500, now=now)
    note_node("here")
    note_chores("here")

    lines = Client().get("/metrics").content.decode().splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    # The test, and the warning of the quota.
    assert found["livestudio_webhook_deliveries_waiting"] == "2.0"
    assert float(found["livestudio_webhook_late_seconds"]) >= 299
    states = [found[f'livestudio_webhooks{{state="{x}"}}'] for x in ("active", "failing")]
    assert states == ["1.0", "1.0"]
    assert found['livestudio_webhooks{state="switched_off"}'] == "1.0"
    assert found['livestudio_exports{state="waiting"}'] == "1.0"
    assert found["livestudio_organizations_overdue"] == "1.0"
    warned, reached = (
        found[f'livestudio_quota_organizations{{level="{x}",meter="broadcast_minutes"}}']
        for x in ("warning", "reached")
    )
    assert (warned, reached) == ("1.0", "0.0")
    assert float(found["livestudio_chores_silence_seconds"]) < 60
    assert str(cast.organization.pk) not in "".join(lines)


def test_metrics_judge_the_forwarded_address_behind_a_proxy(settings: Any) -> None:
    settings.IS_PRODUCTION = True

    forwarded = Client().get("/metrics", headers={"X-Forwarded-For": "127.0.0.1, 203.0.113.9"})

    assert forwarded.status_code == 404


@pytest.mark.parametrize(
    "path", ["/studio/", "/studio/shows/new", "/watch/018f4b1e-0000-7000-8000-000000000000/"]
)
def test_frontend_pages_serve_the_build_or_tell_how_to_make_it(
    settings: Any, tmp_path: Path, path: str
) -> None:
    settings.FRONTEND_DIST = tmp_path
    missing = Client().get(path)
    (tmp_path / "index.html").write_text("<!doctype html><title>LiveStudio</title>")
    built = Client().get(path)

    assert missing.status_code == 503
    assert b"npm run build" in missing.content
    assert missing["Retry-After"]
    assert built.status_code == 200
    assert b"<title>LiveStudio</title>" in built.content
    assert built["Cache-Control"] == "no-cache"


def test_root_leads_to_the_studio() -> None:
    answer = Client().get("/")

    assert (answer.status_code, answer["Location"]) == (302, "/studio/")


@pytest.mark.parametrize("path", ["/studio/", "/admin/login/", "/api/v1/voices/", "/nothing"])
def test_pages_carry_the_strict_policy(path: str) -> None:
    policy = Client().get(path)["Content-Security-Policy"]

    assert "script-src 'self';" in policy + ";"
    assert "style-src 'self';" in policy + ";"
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["/studio/", "/watch/018f4b1e-0000-7000-8000-000000000000/"])
def test_scripts_of_studio_and_watch_page_pass_html_through_vue_only(path: str) -> None:
    policy = Client().get(path)["Content-Security-Policy"]

    assert "require-trusted-types-for 'script'" in policy
    assert "trusted-types vue" in policy
    assert "connect-src 'self';" in policy + ";"


@pytest.mark.parametrize("path", ["/studio/", "/admin/login/", "/api/v1/voices/", "/nothing"])
def test_answers_carry_the_headers_that_keep_browsers_in(path: str) -> None:
    headers = Client().get(path).headers

    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "autoplay=(self)" in headers["Permissions-Policy"]


def test_signed_pictures_may_be_shown_by_other_sites() -> None:
    request = RequestFactory().get("/api/v1/pictures/1/file/")
    picture = HttpResponse(b"", content_type="image/png")
    middleware = BrowserHeadersMiddleware(lambda _: picture)

    assert middleware(request).headers["Cross-Origin-Resource-Policy"] == "cross-origin"


def test_only_the_docs_page_may_style_inline() -> None:
    answer = Client().get("/api/v1/docs/")

    assert answer.status_code == 200
    policy = answer["Content-Security-Policy"]
    assert "style-src 'self' 'unsafe-inline'" in policy
    assert "script-src 'self';" in policy + ";"
    assert b"<script>" not in answer.content


def test_schema_holds_our_views_and_the_one_error_form() -> None:
    answer = Client().get("/api/v1/schema/?format=json")

    schema = answer.json()
    assert answer.status_code == 200
    assert "/api/v1/voices/{voice_id}/preview/" in schema["paths"]
    codes = schema["components"]["schemas"]["Error"]["properties"]["error"]["properties"]["code"]
    assert "device_mismatch" in codes["enum"]
    token = schema["paths"]["/api/v1/auth/token/"]["post"]["responses"]
    assert token["401"] == {"$ref": "#/components/responses/Refused401"}
    refused = schema["components"]["responses"]["Refused401"]["content"]["application/json"]
    assert refused["schema"] == {"$ref": "#/components/schemas/Error"}


def test_cors_lets_listed_origins_in_and_no_other(settings: Any) -> None:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.org"]

    listed = Client().get("/api/v1/schema/", headers={"Origin": "https://app.example.org"})
    other = Client().get("/api/v1/schema/", headers={"Origin": "https://evil.example"})

    assert listed["Access-Control-Allow-Origin"] == "https://app.example.org"
    assert "Access-Control-Allow-Origin" not in other
