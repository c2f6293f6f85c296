"""System checks: settings and surroundings that contradict each other, each with id and hint."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections

from livestudio.common.vault_rotation import missing_keys
from livestudio.deploy_checks import check_deployment

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register_all() -> None:
    """Make the checks known to `manage.py check`."""
    checks.register(check_embedded_exposure)
    checks.register(check_data_dir)
    checks.register(check_frontend, checks.Tags.staticfiles)
    checks.register(check_time_zone_tables, checks.Tags.database)
    checks.register(check_deployment, checks.Tags.security, deploy=True)
    checks.register(check_vault_keys, checks.Tags.database)


def check_embedded_exposure(**_: Any) -> list[checks.CheckMessage]:
    """An embedded site that others on the network can reach."""
    if settings.MODE != "embedded" or settings.HOST in _LOOPBACK:
        return []
    return [
        checks.Warning(
            f"MODE=embedded listens on {settings.HOST}: others on the network can register.",
            hint="Set REGISTRATION=closed, or MODE=production behind a server with TLS.",
            id="livestudio.W001",
        )
    ]


def check_data_dir(**_: Any) -> list[checks.CheckMessage]:
    """Secrets of this site must be readable by its user alone."""
    found: list[checks.CheckMessage] = []
    for name in ("secret_key", "field_keys"):
        path = settings.DATA_DIR / name
        if path.exists() and path.stat().st_mode & 0o077:
            found.append(
                checks.Error(
                    f"{path} can be read by other users of this machine.",
                    hint=f"chmod 600 {path}",
                    id="livestudio.E001",
                )
            )
    return found


def check_frontend(**_: Any) -> list[checks.CheckMessage]:
    """The studio and the watch page need the built frontend."""
    if (settings.FRONTEND_DIST / "index.html").is_file():
        return []
    return [
        checks.Info(
            "The studio is not built: /studio/ and /watch/ answer 503.",
            hint="cd frontend && npm ci && npm run build (make demo does it).",
            id="livestudio.I001",
        )
    ]


def check_vault_keys(
    *, databases: Sequence[str] | None = None, **_: Any
) -> list[checks.CheckMessage]:
    """Secrets that no key of FIELD_KEYS opens. A warning: all else works without them."""
    if not databases:
        return []
    return [
        checks.Warning(
            f"{number} secrets need the key {key}, which is not in FIELD_KEYS.",
            hint="Put that key back into FIELD_KEYS, or paste these secrets again.",
            id="livestudio.W020",
        )
        for key, number in sorted(missing_keys().items())
    ]


def check_time_zone_tables(
    *, databases: Sequence[str] | None = None, **_: Any
) -> list[checks.CheckMessage]:
    """MySQL without time-zone tables groups by NULL instead of by day, without an error."""
    found: list[checks.CheckMessage] = []
    for alias in databases or []:
        connection = connections[alias]
        if connection.vendor != "mysql":
            continue
        with connection.cursor() as cursor:
            cursor.execute("SELECT CONVERT_TZ('2026-01-01 00:00:00', 'UTC', 'Asia/Shanghai')")
            row = cursor.fetchone()
        if row is None or row[0] is None:
            found.append(
                checks.Error(
                    "The database has no time-zone tables: days would be computed as NULL.",
                    hint="mariadb-tzinfo-to-sql /usr/share/zoneinfo | mariadb mysql",
                    id="livestudio.E002",
                )
            )
    return found
