"""Structured logs: a constant message plus fields, secrets redacted before anything is written.

log = get_logger(__name__)
log.info("runner launched", broadcast_id=str(broadcast.id), pid=pid)
"""

from __future__ import annotations

import logging.config
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

import structlog

REDACTED: Final = "[redacted]"
_SECRET_NAME: Final = re.compile(
    r"(stream[-_]?key|token|secret|passw|authorization|cookie|credential|ticket|signature|api[-_]?key"
    r"|\bsdp\b|\baccess\b|\brefresh\b|field_keys)",
    re.IGNORECASE,
)
# `name=value`, `"name": "value"` and `'name': 'value'` inside a text, a body or a printed mapping.
_NAMED_VALUE: Final = re.compile(
    r"(?P<name>\b(?:stream[-_]?key|key|access|refresh|(?:\w*_)?(?:token|secret|password|ticket)|passwd"
    r"|pwd|sign(?:ature)?|api[-_]?key|credential|authorization|cookie|ice-pwd|ice-ufrag|pass)\b"
    r"(?:\\?[\"'])?\s*[:=]\s*)"
    r"(?P<value>b?\\?\"(?:[^\"\\]|\\.)*\"|b?'[^']*'|(?:Bearer|Basic|Api-Key|Digest)\s+\S+|[^\s&,;\"'}\])]+)",
    re.IGNORECASE,
)
_MARKED: Final = "[redacted"
_SECRET_TEXT: Final = (
    # The last part of an RTMP path is the stream key; so is its query.
    (re.compile(r"(rtmps?://[^\s/]+/[^\s/?]+)/[^\s\"']+", re.IGNORECASE), rf"\1/{REDACTED}"),
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(r"\b(Bearer|Api-Key|Basic)\s+(?!\[)\S{8,}", re.IGNORECASE), rf"\1 {REDACTED}"),
    # The links of our mails.
    (re.compile(r"(/account/(?:password|verify|invitation)/)\S+"), rf"\1{REDACTED}"),
    (re.compile(r"\bls_[0-9a-f]{12}_[\w-]+"), REDACTED),
    (re.compile(r"\bticket\.[A-Za-z0-9_-]+"), f"ticket.{REDACTED}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), REDACTED),
    # A session description, and the lines of one that came in pieces.
    (re.compile(r"v=0(\r\n|\n|(?:\\+r)?\\+n)o=.*", re.DOTALL), REDACTED),
    (
        re.compile(r"\ba=(ice-pwd|ice-ufrag|fingerprint|candidate|crypto):[^\r\n\\]*"),
        rf"a=\1:{REDACTED}",
    ),
)
# What a terminal obeys, and what makes a text look like another one (CVE-2021-42574).
_UNSEEN: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
_UNSEEN_OR_LINE: Final = re.compile(f"[\n\t]|{_UNSEEN.pattern}")
_OF_MANY_LINES: Final = frozenset({"exception", "stack", "stack_info"})


def get_logger(name: str) -> Any:
    """The logger of a module; call it with a constant message and fields."""
    return structlog.stdlib.get_logger(name)


def redact_text(text: str) -> str:
    """Text without the secrets that addresses, headers, bodies and session descriptions carry."""
    redacted = _redact_plain(text)
    # Percent-encoding hides the marks by which a secret is known: look behind it, twice at most.
    plain = text
    for _ in range(2):
        if "%" not in plain:
            break
        plain = unquote_plus(plain)
        if (clean := _redact_plain(plain)) != plain:
            return clean
    return redacted


def _redact_plain(text: str) -> str:
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return _NAMED_VALUE.sub(_without_value, text)


def _without_value(found: re.Match[str]) -> str:
    value = found["value"]
    return found[0] if value.startswith(_MARKED) else f"{found['name']}{REDACTED}"


def redact(value: Any) -> Any:
    """A copy of plain data without secrets, by name of the field and by look of the text."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, bytes | bytearray):
        return redact_text(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return {
            key: REDACTED if _is_secret_name(key) and item else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        if len(value) == 2 and _is_secret_name(value[0]):
            return [value[0], REDACTED]  # a header
        return [redact(item) for item in value]
    if isinstance(value, int | float | bool | None):
        return value
    # What has a text only when it is written, an exception or a request, is written here.
    return redact_text(str(value))


def _is_secret_name(name: Any) -> bool:
    text = name.decode("latin-1") if isinstance(name, bytes) else str(name)
    return len(text) < 40 and bool(_SECRET_NAME.search(text))


def _redact_event(_logger: Any, _method: str, event: Any) -> Any:
    # Tracebacks are text by now, so they are covered too.
    redacted = redact(event)
    return {
        escape(str(key)): _visible(item, keep_lines=key in _OF_MANY_LINES)
        for key, item in redacted.items()
    }


def escape(text: str, *, keep_lines: bool = False) -> str:
    """Text that is one line and shows what it is: what cannot be seen is written as `\\u…`."""
    return (_UNSEEN if keep_lines else _UNSEEN_OR_LINE).sub(
        lambda found: f"\\u{ord(found[0]):04x}", text
    )


def _visible(value: Any, *, keep_lines: bool = False) -> Any:
    if isinstance(value, str):
        return escape(value, keep_lines=keep_lines)
    if isinstance(value, Mapping):
        return {escape(str(key)): _visible(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_visible(item) for item in value]
    return value


_SHARED: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]


def logging_settings(*, as_json: bool) -> dict[str, Any]:
    """The LOGGING setting: one line per event on stderr, JSON or for people."""
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False)
    if not as_json:
        renderer = structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback
        )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    # The last that touches an event: nothing is added behind it.
                    _redact_event,
                    renderer,
                ],
            }
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "structured"},
        },
        "root": {"handlers": ["stderr"], "level": "INFO"},
        "loggers": {
            # Access lines carry addresses of viewers; failures are logged by the views.
            "daphne.access": {"level": "WARNING"},
            "django.channels.server": {"level": "WARNING"},
            "django.request": {"level": "ERROR"},
        },
    }


def configure(settings: dict[str, Any]) -> None:
    """Set up logging and structlog; Django calls it with LOGGING."""
    logging.config.dictConfig(settings)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
