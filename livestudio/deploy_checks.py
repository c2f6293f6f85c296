"""`manage.py check --deploy`: settings with which a site must not face the internet.

In production mode the start itself refuses most of them; the checks tell all of them at once, in
any mode, each with an id and what to do.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.conf import settings
from django.core import checks

from livestudio.env import is_field_key

SECRET_KEY_CHARACTERS: Final = 50
# Networks of an operator's own; anything wider is a whole provider's.
_WIDEST_PREFIX: Final = {4: 16, 6: 48}


@dataclass(frozen=True, slots=True)
class Rule:
    """broken: whether the settings break it."""

    number: int
    broken: Callable[[], bool]
    says: str
    hint: str
    is_warning: bool = False

    def message(self) -> checks.CheckMessage:
        """What `check` prints."""
        kind, letter = (checks.Warning, "W") if self.is_warning else (checks.Error, "E")
        return kind(self.says, hint=self.hint, id=f"livestudio.{letter}{self.number}")


def check_deployment(**_: Any) -> list[checks.CheckMessage]:
    """Every rule that is broken."""
    return [rule.message() for rule in RULES if rule.broken()]


def _is_weak_secret() -> bool:
    key = settings.SECRET_KEY
    return len(key) < SECRET_KEY_CHARACTERS or len(set(key)) < 12 or "insecure" in key


def _lacks_field_keys() -> bool:
    return not settings.FIELD_KEYS or not all(map(is_field_key, settings.FIELD_KEYS))


def _takes_any_origin() -> bool:
    origins = settings.CORS_ALLOWED_ORIGINS
    allows_all = getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False)
    patterns = getattr(settings, "CORS_ALLOWED_ORIGIN_REGEXES", ())
    return bool(allows_all or patterns or any(not o.startswith("https://") for o in origins))


def _reaches_inside() -> bool:
    words = {"loopback", "private"}
    return bool(words & set(settings.EGRESS_ALLOW)) or any(_wide(settings.EGRESS_ALLOW))


def _wide(entries: Any) -> Iterator[str]:
    for entry in entries:
        try:
            network = ipaddress.ip_network(entry, strict=False)
        except ValueError:
            continue  # a word
        if network.prefixlen < _WIDEST_PREFIX[network.version]:
            yield entry


def _uses(setting: dict[str, Any], key: str, *names: str) -> bool:
    return str(setting["default"].get(key, "")).endswith(names)


RULES: Final = (
    Rule(
        101,
        lambda: settings.MODE != "production",
        "MODE=embedded is for one machine and its owner.",
        "Set MODE=production; docs/operate.md, chapter Production, says what it needs.",
    ),
    Rule(
        102,
        _is_weak_secret,
        "SECRET_KEY is short or could be guessed: everybody could sign tokens.",
        'SECRET_KEY=$(python -c "import secrets; print(secrets.token_urlsafe(50))")',
    ),
    Rule(
        103,
        _lacks_field_keys,
        "FIELD_KEYS holds no valid key: stream keys cannot be encrypted.",
        'FIELD_KEYS=$(python -c "from cryptography.fernet import Fernet; '
        'print(Fernet.generate_key().decode())")',
    ),
    Rule(
        104,
        lambda: bool(settings.DEBUG),
        "DEBUG shows settings and code to whoever causes an error.",
        "Leave DEBUG off.",
    ),
    Rule(
        105,
        lambda: not settings.ALLOWED_HOSTS or "*" in settings.ALLOWED_HOSTS,
        "ALLOWED_HOSTS takes any host name: links of mails could lead elsewhere.",
        "ALLOWED_HOSTS=studio.example.org,127.0.0.1",
    ),
    Rule(
        106,
        _takes_any_origin,
        "CORS_ALLOWED_ORIGINS takes origins without TLS, or any origin.",
        "List each origin that may use the API, with https://.",
    ),
    Rule(
        107,
        lambda: bool(settings.TEST_ENGINES),
        "TEST_ENGINES adds a face and a voice that are for measurements.",
        "Unset TEST_ENGINES.",
    ),
    Rule(
        108,
        _reaches_inside,
        "EGRESS_ALLOW lets users send to networks that are not theirs, this machine's too.",
        "Name the addresses of your media servers instead: EGRESS_ALLOW=10.0.5.17",
    ),
    Rule(
        109,
        lambda: _uses(settings.DATABASES, "ENGINE", "sqlite3"),
        "SQLite serves one web process on one machine.",
        "DATABASE_URL=mysql://user:password@host:3306/livestudio",
    ),
    Rule(
        110,
        lambda: _uses(settings.CHANNEL_LAYERS, "BACKEND", "InMemoryChannelLayer"),
        "The channel layer is in memory: consoles of other web processes hear nothing.",
        "REDIS_URL=redis://host:6379/0",
    ),
    Rule(
        111,
        lambda: _uses(settings.CACHES, "BACKEND", "LocMemCache", "DummyCache"),
        "Each process has a cache of its own: limits and locks count in none of them.",
        "REDIS_URL=redis://host:6379/0",
    ),
    Rule(
        112,
        lambda: not settings.SECURE_PROXY_SSL_HEADER,
        "No header says that a request came by TLS: every page redirects to itself.",
        'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https"), set by MODE=production',
    ),
    Rule(
        113,
        lambda: any(_wide(settings.METRICS_ALLOW)),
        "METRICS_ALLOW shows what is on air to whole providers' networks.",
        "METRICS_ALLOW=10.0.5.20/32, the address of your Prometheus.",
    ),
    Rule(
        114,
        lambda: settings.REGISTRATION == "open" and settings.EMAIL_VERIFICATION == "off",
        "Anybody can open any number of accounts: no address is confirmed.",
        "EMAIL_VERIFICATION=required with EMAIL_URL, or REGISTRATION=invite.",
        is_warning=True,
    ),
)
