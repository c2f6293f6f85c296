"""Whoever reads the audit trail reads words, not names of the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation

from accounts.admin.audit_words import describe_action
from accounts.audit import record
from tests.factories import Cast

ROOT = Path(__file__).resolve().parents[2]
APPS = ("accounts", "avatars", "inference", "metering", "streams", "voices", "webhooks")
# As `record` and the verbs that call it write them down.
_WRITTEN = re.compile(r"record\w*\(\s*[\w.()]+,\s*\"(\w+\.\w+\.\w+)\"")


def actions() -> set[str]:
    files = (path for app in APPS for path in (ROOT / app).rglob("*.py"))
    return {action for path in files for action in _WRITTEN.findall(path.read_text("utf-8"))}


def test_every_action_has_words_in_both_languages() -> None:
    found = actions()
    assert len(found) > 50
    for language in ("en", "zh-hans"):
        with translation.override(language):
            assert {action for action in found if describe_action(action) == action} == set()


@pytest.mark.parametrize(
    ("language", "action", "words"),
    [
        ("en", "streams.show.created", "Show created"),
        ("en", "accounts.two_factor.switched_on", "Two-factor sign-in switched on"),
        ("zh-hans", "streams.broadcast.stopped", "直播已停播"),
        ("zh-hans", "accounts.api_key.revoked", "API 密钥已撤销"),
        ("zh-hans", "of.another_version", "of.another_version"),
    ],
)
def test_actions_are_read_in_words(language: str, action: str, words: str) -> None:
    with translation.override(language):
        assert describe_action(action) == words


@pytest.mark.django_db
def test_list_and_filter_say_it_in_chinese(cast: Cast) -> None:
    record(cast.alice, "accounts.organization.renamed", cast.organization)
    record(cast.alice, "accounts.organization.exported", cast.organization)
    browser = Client(headers={"accept-language": "zh-Hans"})
    browser.force_login(cast.alice)

    page = browser.get("/admin/accounts/auditentry/").content.decode()
    chosen = browser.get("/admin/accounts/auditentry/?action=accounts.organization.renamed")

    assert page.count("组织已改名") == 2  # the row and the filter
    assert chosen.content.decode().count("组织已导出") == 1  # the filter alone
    assert ">accounts.organization" not in page
