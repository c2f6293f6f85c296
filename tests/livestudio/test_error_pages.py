"""What a person reads where a page is missing, refused or broken: in both languages."""

from __future__ import annotations

import html
from typing import Any

import pytest
from django.test import Client, RequestFactory
from django.utils import translation

from accounts.roles import Role
from avatars.models import Avatar
from livestudio.common.api import failed
from tests.factories import add_member, make_cast
from voices.models import Voice

pytestmark = pytest.mark.django_db

LANGUAGES = pytest.mark.parametrize("language", ["zh-hans", "en"])


def browser(language: str, **options: Any) -> Client:
    return Client(headers={"accept-language": language}, **options)


@LANGUAGES
@pytest.mark.parametrize("address", ["/nothing/", "/watch/abc/", "/admin/nothing/"])
def test_a_page_that_is_not_there_says_so(address: str, language: str) -> None:
    client = browser(language)
    client.force_login(make_cast().alice)

    answer = client.get(address)

    said = {"zh-hans": "没有这个页面", "en": "There is no such page"}[language]
    assert answer.status_code == 404
    assert f"<h1>{said}</h1>" in answer.content.decode()
    assert 'href="/studio/"' in answer.content.decode()


@LANGUAGES
def test_a_page_that_the_role_may_not_see_says_so(language: str) -> None:
    client = browser(language)
    client.force_login(add_member(make_cast().organization, Role.OPERATOR))

    answer = client.get("/admin/accounts/auditentry/")

    said = {"zh-hans": "您无权打开此页面", "en": "You may not open this page"}[language]
    assert answer.status_code == 403
    assert f"<h1>{said}</h1>" in answer.content.decode()


@LANGUAGES
def test_a_form_that_is_too_old_says_what_to_do(language: str) -> None:
    answer = browser(language, enforce_csrf_checks=True).post("/admin/login/", {"username": "x"})

    said = {"zh-hans": "表单未能提交", "en": "This form could not be sent"}[language]
    assert answer.status_code == 403
    assert f"<h1>{said}</h1>" in answer.content.decode()


@LANGUAGES
def test_a_failure_says_that_broadcasts_go_on(language: str) -> None:
    with translation.override(language):
        answer = failed(RequestFactory().get("/studio/"))

    said = {"zh-hans": "直播不受影响", "en": "Broadcasts go on by themselves"}[language]
    assert answer.status_code == 500
    assert said in answer.content.decode()  # type: ignore[attr-defined]  # not streamed


@LANGUAGES
def test_the_sign_in_says_what_is_wrong_and_offers_both_languages(language: str) -> None:
    answer = browser(language).post("/admin/login/", {"username": "nobody", "password": "wrong"})

    page = answer.content.decode()
    said = {"zh-hans": "用户名或密码错误。", "en": "The user name or the password is wrong."}[
        language
    ]
    assert said in page
    assert 'value="zh-hans" lang="zh-Hans"' in page
    assert 'value="nobody"' in page


CHINESE = pytest.mark.parametrize(
    ("page", "fields", "told"),
    [
        (
            "streams/output",
            {"name": "抖音", "kind": "rtmp", "url": "rtmp://10.0.0.1/live"},
            "10.0.0.1 指向 10.0.0.1（内网地址），只能使用公网地址。",
        ),
        (
            "webhooks/webhook",
            {"name": "x", "url": "ftp://x"},
            "地址必须以 https:// 或 http:// 开头。",
        ),
        (
            "streams/show",
            {"title": "秋季专场", "script": "[jump]你好"},
            "第 1 条（“[jump]你好…”）：[jump] 不是可用的指令。可用的有：",
        ),
    ],
)


@CHINESE
def test_what_a_service_refuses_is_told_in_the_language_of_the_form(
    page: str, fields: dict[str, str], told: str, settings: Any
) -> None:
    settings.EGRESS_ALLOW = ()
    cast = make_cast()
    client = browser("zh-hans")
    client.force_login(cast.alice)
    first = client.get(f"/admin/{page}/add/")
    form = {**first.context["adminform"].form.initial, **plan_of(cast), **fields}
    for formset in first.context["inline_admin_formsets"]:
        form |= {f"{formset.formset.prefix}-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL")}

    answer = client.post(f"/admin/{page}/add/", {k: v for k, v in form.items() if v is not None})

    assert answer.status_code == 200
    assert told in html.unescape(answer.content.decode()), answer.context["errors"]


def plan_of(cast: Any) -> dict[str, Any]:
    """What every show needs; other forms leave it unread."""
    avatar = Avatar.objects.filter(organization=cast.organization)[0]
    voice = Voice.objects.filter(organization=cast.organization, language="zh-CN")[0]
    return {
        "organization": cast.organization.pk, "avatar": avatar.pk, "voice": voice.pk,
        "language": "zh-CN", "profile": "virtual_host", "visibility": "public",
        "background_0": "studio", "rundown_mode": "once", "ends": "after_rundown",
        "loop_pause_seconds": "1", "logo_position": "top_right", "clock_position": "top_right",
        "label_preset": "bilingual", "clock_format": "none", "label_position": "top_left",
        "events": ["broadcast.live"],
    }  # fmt: skip
