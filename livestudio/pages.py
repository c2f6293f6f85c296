"""The pages of the built frontend, and the probes that machines ask for."""

from __future__ import annotations

import ipaddress
import shutil
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from csp.decorators import csp_update
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from inference.services import last_seen_control_loop
from livestudio.common.log import get_logger
from livestudio.metrics import exposition

log = get_logger(__name__)

# Below this a recording stops within minutes and SQLite may fail.
FREE_DISK_MIB_NEEDED = 200
# Control loops say that they live every ten seconds.
CONTROL_LOOP_SILENCE = timedelta(seconds=60)


# What scripts put into these pages as HTML or code passes Vue's own policy, or is refused.
_trusted_types: Any = csp_update(
    {"require-trusted-types-for": ["'script'"], "trusted-types": ["vue"]}
)


@require_safe
@ensure_csrf_cookie
@_trusted_types
def studio(request: HttpRequest, path: str = "") -> HttpResponse:
    """The studio: one page, its own routes below /studio/."""
    return _frontend(request)


@require_safe
@_trusted_types
def watch(request: HttpRequest, target_id: uuid.UUID) -> HttpResponse:
    """The watch page of a broadcast or a show."""
    return _frontend(request)


def _frontend(request: HttpRequest) -> HttpResponse:
    try:
        page = (settings.FRONTEND_DIST / "index.html").read_bytes()
    except OSError:
        answer = render(request, "livestudio/frontend_missing.html", status=503)
        answer["Retry-After"] = "60"
        return answer
    answer = HttpResponse(page, content_type="text/html; charset=utf-8")
    # The page names hashed files: an old copy of it would ask for files that are gone.
    answer["Cache-Control"] = "no-cache"
    return answer


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """200 while this process answers; looks at nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when this process can do its work, else 503 and which part cannot."""
    parts = {name: _state_of(name, probe) for name, probe in PROBES.items()}
    is_ready = all(state == "ok" for state in parts.values())
    return JsonResponse({"ready": is_ready, "parts": parts}, status=200 if is_ready else 503)


def _state_of(name: str, probe: Callable[[], None]) -> str:
    try:
        probe()
    except NotReadyError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - any failure of a part means not ready
        log.warning("readiness probe failed", part=name, error=str(error))
        return "failed"
    return "ok"


class NotReadyError(Exception):
    """A part cannot work; the text is safe to show to anybody."""


def _probe_database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _probe_migrations() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        raise NotReadyError("migrations are not applied")


def _probe_channel_layer() -> None:
    layer = get_channel_layer()
    if layer is None:
        raise NotReadyError("no channel layer")
    async_to_sync(layer.group_send)("readiness", {"type": "readiness.probe"})


def _probe_disk() -> None:
    if shutil.disk_usage(settings.DATA_DIR).free < FREE_DISK_MIB_NEEDED * 1024 * 1024:
        raise NotReadyError("the disk is almost full")


def _probe_control_loop() -> None:
    seen_at = last_seen_control_loop()
    if seen_at is None or timezone.now() - seen_at > CONTROL_LOOP_SILENCE:
        raise NotReadyError("no control loop was seen for a minute: nothing starts")


PROBES: dict[str, Callable[[], None]] = {
    "database": _probe_database,
    "migrations": _probe_migrations,
    "channel_layer": _probe_channel_layer,
    "disk": _probe_disk,
    "control_loop": _probe_control_loop,
}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus metrics, for the addresses of METRICS_ALLOW only; 404 for the others."""
    # Behind a proxy every request comes from it: the forwarded address counts then.
    address = request.META.get("REMOTE_ADDR", "")
    if settings.IS_PRODUCTION and (forwarded := request.headers.get("X-Forwarded-For")):
        address = forwarded.rpartition(",")[2].strip()
    if not _is_allowed(address):
        raise Http404
    return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)


def _is_allowed(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(
        parsed in ipaddress.ip_network(item, strict=False) for item in settings.METRICS_ALLOW
    )
