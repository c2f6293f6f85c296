"""The form of a voice in the admin: a field for each setting, a row for each word."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from accounts.models import AuditEntry
from accounts.roles import Role
from tests.factories import Cast, VoiceFactory, add_member, make_cast
from voices.models import Pronunciation, Voice
from voices.selectors import engine_settings
from voices.settings_words import WORDS
from voices.validators import SETTINGS

pytestmark = pytest.mark.django_db

ADD = "/admin/voices/voice/add/"
LONG = "很" * 10_000


@pytest.fixture
def cast(settings: Any) -> Cast:
    settings.EGRESS_ALLOW = ("loopback",)
    return make_cast()


def browser(user: Any, language: str = "zh-hans") -> Client:
    client = Client(headers={"accept-language": language})
    client.force_login(user)
    return client


def change_page(voice: Voice) -> str:
    return f"/admin/voices/voice/{voice.pk}/change/"


def form_of(cast: Cast, *words: tuple[str, str], **fields: Any) -> dict[str, Any]:
    rows = {
        f"pronunciations-{index}-{name}": value
        for index, word in enumerate(words)
        for name, value in zip(("text", "reading"), word, strict=True)
    }
    return {
        "organization": str(cast.organization.pk),
        "name": "Morning",
        "language": "zh-CN",
        "engine": "espeak",
        "fallback_links-TOTAL_FORMS": "0",
        "fallback_links-INITIAL_FORMS": "0",
        "pronunciations-TOTAL_FORMS": str(len(words)),
        "pronunciations-INITIAL_FORMS": "0",
        **rows,
        **fields,
    }


def errors_beside(page: str, field: str) -> str:
    """What stands in the row of a field, above the field itself."""
    row = re.search(rf'<div class="form-row errors field-{field}">(.*?)</div>', page, re.DOTALL)
    found = re.search(r'<ul class="errorlist".*?</ul>', row.group(1) if row else "", re.DOTALL)
    return re.sub(r"<[^>]+>", "", found.group()).strip() if found else ""


def test_each_setting_has_a_field_with_words_of_its_own(cast: Cast) -> None:
    page = browser(cast.alice).get(ADD).content.decode()

    for engine, rules in SETTINGS.items():
        assert f"engine-{engine}" in page
        for name in rules:
            assert f'name="{engine}__{name}"' in page
            assert f"{engine}.{name}" in WORDS or name in WORDS
    assert "<textarea" in page.split('name="openai_speech__instructions"')[0][-40:]
    assert 'name="settings"' not in page


def test_settings_are_stored_as_the_api_stores_them(cast: Cast) -> None:
    given = {
        "openai_speech__base_url": " http://127.0.0.1:9/v1 ",
        "openai_speech__sample_rate_hz": "24000",
        "openai_speech__speed": "1.25",
        "openai_speech__response_format": "pcm",
        # Of an engine that was not chosen: wrong, and nobody minds.
        "espeak__rate": "fast",
    }

    made = browser(cast.alice).post(ADD, form_of(cast, engine="openai_speech", **given))

    assert made.status_code == 302, made.content.decode()
    assert Voice.objects.get(name="Morning").settings == {
        "base_url": "http://127.0.0.1:9/v1",
        "sample_rate_hz": 24_000,
        "speed": 1.25,
        "response_format": "pcm",
    }


def test_stored_settings_are_in_the_fields_and_emptied_ones_go(cast: Cast) -> None:
    voice = VoiceFactory(
        organization=cast.organization, engine="espeak", settings={"rate": 1.2, "pitch": -10}
    )
    client = browser(cast.alice)

    page = client.get(change_page(voice)).content.decode()
    fields = {"name": voice.name, "language": voice.language, "espeak__rate": "1.2"}
    changed = client.post(change_page(voice), form_of(cast, **fields))

    assert re.search(r'name="espeak__rate" value="1.2"', page)
    assert re.search(r'name="espeak__pitch" value="-10"', page)
    assert changed.status_code == 302
    voice.refresh_from_db()
    assert voice.settings == {"rate": 1.2}


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("espeak__rate", "9", "请使用 0.5 到 2 之间的数。"),
        ("espeak__rate", "-1", "请使用 0.5 到 2 之间的数。"),
        ("espeak__rate", "快一点", "输入一个数字。"),
        ("espeak__rate", "nan", "输入一个数字。"),
        ("espeak__rate", "1e400", "输入一个数字。"),
        ("espeak__pitch", "9" * 300, "请使用 -50 到 50 之间的数。"),
        ("espeak__gender", "robot", "选择一个有效的选项"),
        ("edge__voice", "晓晓😀", "请给出名称，例如 zh-CN-XiaoxiaoNeural。"),
        ("edge__volume", "80", "请使用 -50 到 50 之间的数。"),
        ("openai_speech__base_url", "", "请给出服务器地址"),
        ("openai_speech__base_url", "ftp://example.com/v1", "地址必须以"),
        ("openai_speech__base_url", "http://10.0.0.1/v1", "内网地址"),
        ("openai_speech__instructions", LONG, "1000"),
        ("openai_speech__model", "‮" + LONG, "模型名称，最多 200 个字符"),
        ("openai_speech__sample_rate_hz", "1", "请使用 8000 到 96000 之间的数。"),
    ],
)
def test_what_is_wrong_is_told_beside_the_field_and_stays_typed(
    cast: Cast, field: str, value: str, told: str
) -> None:
    engine = field.partition("__")[0]
    address = {} if engine != "openai_speech" else {"openai_speech__base_url": "https://a.example"}

    answer = browser(cast.alice).post(
        ADD, form_of(cast, engine=engine, **{**address, field: value})
    )

    page = answer.content.decode()
    assert answer.status_code == 200
    assert told in errors_beside(page, field)
    assert value in page
    assert not Voice.objects.filter(name="Morning").exists()


def test_words_of_a_voice_are_rows_of_its_form(cast: Cast) -> None:
    client = browser(cast.alice)

    made = client.post(ADD, form_of(cast, ("重庆", "chong2 qing4"), ("长龙", "zhang3 long2")))
    voice = Voice.objects.get(name="Morning")
    first, second = Pronunciation.objects.filter(voice=voice).order_by("reading")
    changed = client.post(
        change_page(voice),
        form_of(
            cast,
            ("重庆", "chong2 qing1"),
            ("长龙", "zhang3 long2"),
            **{
                "pronunciations-INITIAL_FORMS": "2",
                "pronunciations-0-id": str(first.pk),
                "pronunciations-1-id": str(second.pk),
                "pronunciations-1-DELETE": "on",
            },
        ),
    )

    assert (made.status_code, changed.status_code) == (302, 302)
    assert engine_settings(voice)["lexicon"] == [["重庆", "chong2 qing1"]]
    actions = AuditEntry.objects.filter(object_type="voices.pronunciation")
    assert sorted(actions.values_list("action", flat=True)) == [
        "voices.pronunciation.changed",
        "voices.pronunciation.created",
        "voices.pronunciation.created",
        "voices.pronunciation.deleted",
    ]


def test_a_word_twice_and_a_wrong_reading_are_told_in_their_rows(cast: Cast) -> None:
    words = (("重庆", "chong2 qing4"), ("重庆", "zhong4 qing4"), ("长龙", "zhang3 long7"))

    answer = browser(cast.alice).post(ADD, form_of(cast, *words))

    page = answer.content.decode()
    assert answer.status_code == 200
    assert "列表里已经有这个词" in page
    assert "拼音音节不存在" in page or "不是拼音" in page or "声调" in page
    assert all(word in page and reading in page for word, reading in words)
    assert not Voice.objects.filter(name="Morning").exists()


def test_a_name_that_is_taken_loses_nothing_that_was_typed(cast: Cast) -> None:
    VoiceFactory(organization=cast.organization, name="Morning")

    answer = browser(cast.alice).post(
        ADD, form_of(cast, ("重庆", "chong2 qing4"), espeak__rate="1.3")
    )

    page = answer.content.decode()
    assert answer.status_code == 200
    assert errors_beside(page, "name") == "您的组织里已经有这个名称，请换一个。"
    assert 'value="1.3"' in page
    assert 'value="chong2 qing4"' in page
    assert not Pronunciation.objects.filter(reading="chong2 qing4").exists()


def test_who_may_only_look_reads_the_settings(cast: Cast) -> None:
    voice = VoiceFactory(organization=cast.organization, engine="espeak", settings={"rate": 1.2})

    page = browser(add_member(cast.organization, Role.OPERATOR)).get(change_page(voice))

    assert "语速: 1.2" in page.content.decode()
    assert 'name="espeak__rate"' not in page.content.decode()
