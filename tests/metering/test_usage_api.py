"""Usage as customers read it: by meter, by day and broadcast, as a table; refusals over REST."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client as Browser
from django.utils import timezone

from accounts.models import User
from metering.models import OrganizationQuota, Plan, StoredFile
from metering.periods import day_of
from metering.services.counting import Holder, count, zone_of
from metering.services.storage import note_file, recount
from streams.models import Picture
from tests.factories import Cast, api_client, error_of
from tests.metering.conftest import Limit
from tests.streams.pictures import make_picture
from tests.streams.plans import make_show, put_live

pytestmark = pytest.mark.django_db


def usage(cast: Cast, user: User, path: str = "", **query: str) -> Any:
    address = f"/api/v1/organizations/{cast.organization.pk}/usage/{path}"
    return api_client(user).get(address, query)


def meters(cast: Cast) -> dict[str, dict[str, Any]]:
    return {row["meter"]: row for row in usage(cast, cast.bob).json()["meters"]}


def test_usage_tells_what_is_left_and_when_it_is_renewed(cast: Cast, limit: Limit) -> None:
    limit(broadcast_minutes=10, voices=8)
    count(Holder(cast.organization.pk, "x"), "broadcast_minutes", 490, now=timezone.now())

    found = meters(cast)

    minutes = found["broadcast_minutes"]
    assert (minutes["limit"], minutes["used"], minutes["remaining"]) == (10, 8.2, 1.8)
    assert (minutes["is_low"], minutes["is_reached"]) == (True, False)
    assert minutes["resets_at"].endswith("T16:00:00.000Z")
    assert (found["voices"]["used"], found["voices"]["remaining"]) == (4, 4)
    assert found["voices"]["resets_at"] is None
    assert (found["tts_characters"]["limit"], found["tts_characters"]["remaining"]) == (None, None)


def test_usage_is_listed_by_day_and_broadcast(cast: Cast) -> None:
    broadcast, now = put_live(cast), timezone.now()
    holder = Holder(cast.organization.pk, str(broadcast.pk), "Evening")
    count(holder, "broadcast_minutes", 90, now=now)
    count(holder, "broadcast_minutes", 60, now=now - timedelta(days=3))
    count(holder, "broadcast_minutes", 60, now=now - timedelta(days=40))
    today = day_of(now, zone_of(cast.organization.pk))

    days = usage(cast, cast.alice).json()["days"]
    rows = usage(cast, cast.alice, "broadcasts/").json()["results"]

    assert days == [
        {"day": str(today - timedelta(days=3)), "used": {"broadcast_minutes": 1.0}},
        {"day": str(today), "used": {"broadcast_minutes": 1.5}},
    ]
    assert {(row["day"], row["broadcast"], row["title"], row["used"]) for row in rows} == {
        (str(today), str(broadcast.pk), "Evening", 1.5),
        (str(today - timedelta(days=3)), str(broadcast.pk), "Evening", 1.0),
    }
    old = str(today - timedelta(days=40))
    assert len(usage(cast, cast.alice, "broadcasts/", **{"from": old}).json()["results"]) == 3


def test_usage_shows_the_tokens_that_voices_spent(cast: Cast, limit: Limit) -> None:
    limit(llm_tokens=1000)
    broadcast = put_live(cast)
    holder = Holder(cast.organization.pk, str(broadcast.pk), "Evening")
    count(holder, "llm_tokens", 850, now=timezone.now())
    today = str(day_of(timezone.now(), zone_of(cast.organization.pk)))

    found = meters(cast)["llm_tokens"]
    days = usage(cast, cast.bob).json()["days"]
    row = usage(cast, cast.bob, "broadcasts/").json()["results"][0]
    table = usage(cast, cast.bob, "csv/").content.decode("utf-8-sig")

    assert (found["period"], found["limit"], found["used"]) == ("day", 1000, 850)
    assert (found["remaining"], found["is_low"], found["is_reached"]) == (150, True, False)
    assert days == [{"day": today, "used": {"llm_tokens": 850}}]
    assert (row["broadcast"], row["meter"], row["used"]) == (str(broadcast.pk), "llm_tokens", 850)
    assert "llm_tokens" in table.splitlines()[1]


@pytest.mark.parametrize(
    "query",
    [{"from": "yesterday"}, {"from": "2026-02-02", "to": "2026-02-01"}, {"from": "2020-01-01"}],
)
def test_days_that_cannot_be_read_are_refused(cast: Cast, query: dict[str, str]) -> None:
    answer = usage(cast, cast.alice, **query)

    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "from"


def test_a_title_in_the_table_is_no_formula(cast: Cast) -> None:
    holder = Holder(cast.organization.pk, "preview", '=HYPERLINK("http://x")')
    count(holder, "tts_characters", 5, now=timezone.now())

    answer = usage(cast, cast.alice, "csv/")

    assert answer["Content-Type"].startswith("text/csv")
    header, row = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert header[:2] == ["day", "holder"]
    assert row[3] == '\'=HYPERLINK("http://x")'


def test_table_that_would_not_be_whole_is_refused(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metering.api.views.CSV_MAX_ROWS", 2)
    now = timezone.now()
    for number in range(2):
        count(Holder(cast.organization.pk, str(number)), "broadcast_minutes", 60, now=now)
    whole = usage(cast, cast.alice, "csv/")
    count(Holder(cast.organization.pk, "3"), "broadcast_minutes", 60, now=now)

    cut = usage(cast, cast.alice, "csv/")

    assert len(whole.content.splitlines()) == 3
    assert (cut.status_code, error_of(cut)["details"][0]["field"]) == (400, "from")


def test_an_outsider_finds_no_usage(cast: Cast) -> None:
    for path in ("", "broadcasts/", "csv/"):
        assert usage(cast, cast.charlie, path).status_code == 404


def test_refusal_over_rest_says_what_when_and_in_which_language(cast: Cast, limit: Limit) -> None:
    limit(broadcast_minutes=0)
    show = make_show(cast.organization, cast.alice)

    english, chinese = (
        api_client(cast.bob, accept_language=language).post(f"/api/v1/shows/{show.pk}/start/", {})
        for language in ("en", "zh-CN")
    )

    assert english.status_code == 409
    assert 0 < int(english["Retry-After"]) <= 86_400
    error = english.json()["error"]
    assert error["code"] == "quota_exceeded"
    assert (error["data"]["meter"], error["data"]["limit"]) == ("broadcast_minutes", 0)
    assert error["message"].startswith("The quota is used up: broadcast minutes a day")
    assert chinese.json()["error"]["message"].startswith("配额已用完：每日开播分钟数")


def test_new_voices_and_presenters_are_refused_at_the_limit(cast: Cast, limit: Limit) -> None:
    limit(voices=4, avatars=2)
    voice = {"name": "New", "engine": "espeak", "language": "en-US", "settings": {}}
    avatar = {"name": "New", "engine": "puppet", "settings": {"character": "lin"}}
    client = api_client(cast.alice)

    answers = [client.post("/api/v1/voices/", voice), client.post("/api/v1/avatars/", avatar)]

    assert [answer.status_code for answer in answers] == [409, 409]
    assert "Retry-After" not in answers[0]
    assert client.delete(f"/api/v1/voices/{_spare_voice(client)}/").status_code == 204
    assert client.post("/api/v1/voices/", voice).status_code == 201


def _spare_voice(client: Any) -> str:
    return str(client.get("/api/v1/voices/").json()["results"][-1]["id"])


def test_pictures_count_until_they_are_deleted(cast: Cast, limit: Limit) -> None:
    picture = make_picture(cast.organization)
    note_file(cast.organization.pk, "picture", picture.pk, 700)
    limit(storage_bytes=1000)
    assert meters(cast)["storage_bytes"]["used"] == 700

    assert api_client(cast.alice).delete(f"/api/v1/pictures/{picture.pk}/").status_code == 204

    assert meters(cast)["storage_bytes"]["used"] == 0


def test_recount_mends_what_drifted_and_says_so(cast: Cast, capsys: Any) -> None:
    picture = make_picture(cast.organization)
    size = Picture.objects.get(pk=picture.pk).file.size
    StoredFile.objects.all().delete()
    note_file(cast.organization.pk, "recording", "gone", 5000)

    call_command("recount_storage", "--dry-run")
    assert StoredFile.objects.get().item == "gone"
    call_command("recount_storage")
    call_command("recount_storage")

    told = capsys.readouterr().out.splitlines()
    assert told[0] == told[2] == f"{cast.organization.pk}: {size - 5000:+d} bytes"
    assert told[1].endswith("reported only")
    assert told[3] == "not counted: 1, gone: 1, other size: 0; mended"
    assert told[4] == "nothing to mend"
    assert recount(is_repaired=False).is_none


def test_owner_sets_the_closing_line_in_the_admin_but_not_the_plan(
    cast: Cast, limit: Limit
) -> None:
    plan = limit(voices=4)
    big = Plan.objects.create(name="Big")
    quota = OrganizationQuota.objects.get(organization=cast.organization)
    browser = Browser()
    browser.force_login(cast.alice)
    address = f"/admin/metering/organizationquota/{quota.pk}/change/"
    form = {
        "plan": str(big.pk), "timezone": "Europe/Berlin", "closing": "card",
        "closing_line_zh": "再见。", "closing_line_en": "", "overrides-TOTAL_FORMS": "0",
        "overrides-INITIAL_FORMS": "0",
    }  # fmt: skip

    assert "4 / 4" in browser.get(address).content.decode()
    assert browser.post(address, form).status_code == 302

    quota.refresh_from_db()
    assert (quota.plan, quota.timezone, quota.closing_line_zh) == (plan, "Europe/Berlin", "再见。")
    assert browser.get("/admin/metering/plan/").status_code == 403
    wrong = browser.post(address, {**form, "timezone": "Mars/Base"}, follow=True)
    assert "Mars/Base" in wrong.content.decode()
    quota.refresh_from_db()
    assert quota.timezone == "Europe/Berlin"


def test_owner_comes_straight_to_a_page_that_tells_plan_and_use(cast: Cast) -> None:
    browser = Browser(headers={"Accept-Language": "en"})
    browser.force_login(cast.alice)
    assert not OrganizationQuota.objects.filter(organization=cast.organization).exists()

    answer = browser.get("/admin/metering/organizationquota/", follow=True)
    unlimited = answer.content.decode()
    quota = OrganizationQuota.objects.get(organization=cast.organization)
    plan = Plan.objects.create(name="Small", is_default=True)
    plan.limits.create(meter="voices", limit=40)
    page = browser.get(f"/admin/metering/organizationquota/{quota.pk}/change/").content.decode()

    assert "none: nothing is limited" in unlimited
    assert "<meter" not in unlimited
    assert "Small" in page
    assert '<meter min="0" max="40"' in page
    assert "4 / 40" in page


def test_owner_sets_day_and_closing_line_over_rest_but_not_the_plan(
    cast: Cast, limit: Limit
) -> None:
    plan, address = limit(voices=4), f"/api/v1/organizations/{cast.organization.pk}/quota/"
    owner, operator = api_client(cast.alice), api_client(cast.bob)
    before = operator.get(address).json()

    given = {"timezone": "Europe/Berlin", "closing_line_en": "Good night.", "plan": "Big"}
    changed = owner.patch(address, given)
    wrong = owner.patch(address, {"timezone": "Mars/Base"}, headers={"Accept-Language": "zh-CN"})

    assert before == {
        "plan": plan.name, "timezone": "Asia/Shanghai", "closing": "spoken",
        "closing_line_zh": "", "closing_line_en": "",
    }  # fmt: skip
    assert changed.json() == {
        **before, "timezone": "Europe/Berlin", "closing_line_en": "Good night.",
    }  # fmt: skip
    assert operator.get(address).json() == changed.json()
    assert operator.patch(address, {"closing": "card"}).status_code == 403
    (detail,) = wrong.json()["error"]["details"]
    assert (detail["field"], detail["code"]) == ("timezone", "unknown_zone")
    assert detail["message"] == "没有时区 Mars/Base，请写成 Asia/Shanghai 这样。"


def test_superuser_edits_plans_and_assigns_them(cast: Cast) -> None:
    root = User.objects.create_superuser("root_user", "root@example.org", "x")
    browser = Browser()
    browser.force_login(root)
    limits = {"limits-TOTAL_FORMS": "1", "limits-INITIAL_FORMS": "0"}
    limits |= {"limits-0-meter": "voices", "limits-0-limit": "4"}
    made = browser.post("/admin/metering/plan/add/", {"name": "Small", **limits})
    plan = Plan.objects.get(name="Small")
    form = {
        "organization": str(cast.organization.pk), "plan": str(plan.pk), "closing": "spoken",
        "timezone": "Asia/Shanghai", "overrides-TOTAL_FORMS": "1", "overrides-INITIAL_FORMS": "0",
        "overrides-0-meter": "avatars", "overrides-0-limit": "9",
    }  # fmt: skip
    given = browser.post("/admin/metering/organizationquota/add/", form)

    assert (made.status_code, given.status_code) == (302, 302)
    found = meters(cast)
    assert (found["voices"]["limit"], found["avatars"]["limit"]) == (4, 9)
