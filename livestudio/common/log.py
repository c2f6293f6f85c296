"""Structured logs: a constant message plus fields, secrets redacted before anything is written.

log = get_logger(__name__)
log.info("runner launched", broadcast_id=str(broadcast.id), pid=pid)
"""

from __future__ import annotations

import logging.config
import re
from collections.abc import Mapping
from typing import Any, Final

import structlog

REDACTED: Final = "[redacted]"
_SECRET_NAME: Final = re.compile(
    r"(stream_?key|token|secret|password|authorization|cookie|credential|ticket|\bsdp\b|api_?key"
    r"|\baccess\b|\brefresh\b|field_keys)",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = (
    # The last part of an RTMP path is the stream key; so is its query.
    (re.compile(r"(rtmps?://[^\s/]+/[^\s/?]+)/[^\s\"']+", re.IGNORECASE), rf"\1/{REDACTED}"),
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@]+@", re.IGNORECASE), rf"\1{REDACTED}@"),
    (re.compile(r"\b(Bearer|Api-Key)\s+\S+", re.IGNORECASE), rf"\1 {REDACTED}"),
    # The links of our mails.
    (re.compile(r"(/account/(?:password|verify|invitation)/)\S+"), rf"\1{REDACTED}"),
    (re.compile(r"\bls_[0-9a-f]{12}_[\w-]+"), REDACTED),
    (re.compile(r"\bticket\.[A-Za-z0-9_-]+"), f"ticket.{REDACTED}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]+"), REDACTED),
    (
        re.compile(r"(\?|&)((?:stream)?key|token|secret|sign|ticket)=[^\s&\"']+", re.I),
        rf"\1\2={REDACTED}",
    ),
    (re.compile(r"v=0(\r\n|\n|\\r\\n)o=.*", re.DOTALL), REDACTED),
)


def get_logger(name: str) -> Any:
    """The logger of a module; call it with a constant message and fields."""
    return structlog.stdlib.get_logger(name)


def redact_text(text: str) -> str:
    """Text without the secrets that addresses, headers and session descriptions carry."""
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text


def redact(value: Any) -> Any:
    """A copy of plain data without secrets, by name of the field and by look of the text."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, Mapping):
        return {
            key: REDACTED if _SECRET_NAME.search(str(key)) and item else redact(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [redact(item) for item in value]
    return value


def _redact_event(_logger: Any, _method: str, event: Any) -> Any:
    # Runs after formatting of exceptions, so that tracebacks are covered too.
    kept = {key: event[key] for key in ("_record", "_from_structlog") if key in event}
    return {**redact({key: item for key, item in event.items() if key not in kept}), **kept}


_SHARED: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    _redact_event,
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
