"""`manage.py check --deploy` names each unsafe setting, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks

from livestudio import deploy_checks
from livestudio.env import generate_field_key, generate_secret_key

MEMORY = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
LOCAL = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
SQLITE = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
REDIS = "channels_redis.pubsub.RedisPubSubChannelLayer"
SAFE = {
    "MODE": "production",
    "SECRET_KEY": generate_secret_key(),
    "FIELD_KEYS": [generate_field_key()],
    "DEBUG": False,
    "ALLOWED_HOSTS": ["studio.example.org"],
    "CORS_ALLOWED_ORIGINS": ["https://shop.example.org"],
    "TEST_ENGINES": False,
    "EGRESS_ALLOW": ("10.0.5.17", "10.0.6.0/24"),
    "DATABASES": {"default": {"ENGINE": "django.db.backends.mysql"}},
    "CHANNEL_LAYERS": {"default": {"BACKEND": REDIS}},
    "CACHES": {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache"}},
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
    "METRICS_ALLOW": ("10.0.5.20/32", "::1/128"),
    "REGISTRATION": "invite",
    "EMAIL_VERIFICATION": "required",
}
UNSAFE = [
    ("E101", {"MODE": "embedded"}),
    ("E102", {"SECRET_KEY": "too-short"}),
    ("E102", {"SECRET_KEY": "x" * 60}),
    ("E102", {"SECRET_KEY": "django-insecure-" + generate_secret_key()}),
    ("E103", {"FIELD_KEYS": []}),
    ("E103", {"FIELD_KEYS": ["no key"]}),
    ("E104", {"DEBUG": True}),
    ("E105", {"ALLOWED_HOSTS": ["*"]}),
    ("E105", {"ALLOWED_HOSTS": []}),
    ("E106", {"CORS_ALLOWED_ORIGINS": ["http://shop.example.org"]}),
    ("E106", {"CORS_ALLOW_ALL_ORIGINS": True}),
    ("E106", {"CORS_ALLOWED_ORIGIN_REGEXES": [".*"]}),
    ("E107", {"TEST_ENGINES": True}),
    ("E108", {"EGRESS_ALLOW": ("loopback",)}),
    ("E108", {"EGRESS_ALLOW": ("private",)}),
    ("E108", {"EGRESS_ALLOW": ("10.0.5.17", "10.0.0.0/8")}),
    ("E108", {"EGRESS_ALLOW": ("::/0",)}),
    ("E109", {"DATABASES": SQLITE}),
    ("E110", {"CHANNEL_LAYERS": MEMORY}),
    ("E111", {"CACHES": LOCAL}),
    ("E112", {"SECURE_PROXY_SSL_HEADER": None}),
    ("E113", {"METRICS_ALLOW": ("0.0.0.0/0",)}),
    ("W114", {"REGISTRATION": "open", "EMAIL_VERIFICATION": "off"}),
]


class Settings:
    """What the rules look at; nothing else of Django is touched."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)


def found(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> list[checks.CheckMessage]:
    monkeypatch.setattr(deploy_checks, "settings", Settings({**SAFE, **changed}))
    return deploy_checks.check_deployment()


def test_safe_settings_break_no_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found(monkeypatch) == []


@pytest.mark.parametrize(("number", "changed"), UNSAFE)
def test_unsafe_setting_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, number: str, changed: dict[str, Any]
) -> None:
    (message,) = found(monkeypatch, **changed)

    assert message.id == f"livestudio.{number}"
    assert message.hint
    assert message.is_serious(checks.ERROR) is number.startswith("E")


def test_every_rule_has_a_case() -> None:
    ids = {rule.message().id for rule in deploy_checks.RULES}

    assert ids == {f"livestudio.{number}" for number, _ in UNSAFE}


def test_site_of_one_machine_is_refused_as_a_deployment() -> None:
    every = checks.run_checks(include_deployment_checks=True)

    assert {"livestudio.E101", "livestudio.E110", "livestudio.E111"} <= {m.id for m in every}
