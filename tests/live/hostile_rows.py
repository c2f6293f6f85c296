"""Fills an installation with one of each row, and each text of it with what breaks pages.

A program for a site's own database: `python -m tests.live.hostile_rows`. What it has filled it
writes to `hostile.json` in the data folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from django.db.models import Field, Model

    from tests.permissions.world import World

# All in one: it leaves every kind of quote and element that a page may have put it into, and names
# itself in each way, so that whatever became of it is found. Without the end of a sentence.
HOSTILE: Final = (
    "\"'><x-owned x-owned></x-owned><img src=x onerror=owned()><svg/onload=owned()>"
    "</script></textarea></title><script>owned()</script><a href=javascript:owned()>"
    '{{7*191}}{% now "Y" %}${7*191}\u202e\u2066'
)
# Programs read these: they are keys, secrets, or words of ours.
KEPT_COLUMNS: Final = frozenset({
    "action", "clock_timezone", "cue", "cursor", "document_sha256", "engine", "engine_name",
    "event_types", "exdates", "facts", "handle", "hashed", "item", "key", "kind", "launcher",
    "message_id", "meter", "metrics", "object_type", "options", "password", "period", "prefix",
    "rrule", "scopes", "secret", "settings", "shows", "stage", "starts_at_local", "timezone",
    "values", "workers", "object_id", "change_message", "holder", "background", "runner_key",
})  # fmt: skip
KEPT_MODELS: Final = frozenset({
    "accounts.IdempotencyRecord", "streams.ConnectionTicket", "streams.ControlCommand",
    "streams.WhepViewer",
})  # fmt: skip
# Of a JSON column these are words of ours too.
KEPT_WORDS: Final = frozenset({
    "id", "kind", "engine", "state", "meter", "avatar", "voice", "language", "profile", "mode",
    "expression", "gesture", "cue", "background", "picture", "ends", "timezone", "preset", "type",
    "at", "stage",
})  # fmt: skip


def fill() -> dict[str, Any]:
    """columns: those that were filled, as `streams.Show.title`; and the ids of rows."""
    from tests.permissions.admin_table import MODELS
    from tests.permissions.world import make_worlds

    world = make_worlds()[0]
    for lists in MODELS.values():
        lists.row(world)
    _add_rows(world)
    alice = world.cast.alice
    alice.is_staff = alice.is_superuser = True
    alice.save()
    columns = sorted(_fill_column(model, field) for model, field in text_columns())
    rows = {
        "broadcast": str(world.broadcast.pk),
        "avatar": str(world.avatar.pk),
        "organization": str(world.cast.organization.pk),
    }
    return {"columns": columns, **rows}


def text_columns() -> Iterator[tuple[type[Model], Field[Any, Any]]]:
    """Every column that holds somebody's words."""
    from django.apps import apps
    from django.db import models

    for model in apps.get_models():
        if model.__module__.startswith("django.") and model._meta.label != "admin.LogEntry":
            continue
        for field in model._meta.concrete_fields:
            is_text = isinstance(field, (models.CharField, models.TextField, models.JSONField))
            if is_text and not field.choices and not _is_kept(model, field):
                yield model, field


def _is_kept(model: type[Model], field: Field[Any, Any]) -> bool:
    name = field.name
    is_key = name in KEPT_COLUMNS or name.startswith("sealed_") or name.endswith("_id")
    return is_key or model._meta.label in KEPT_MODELS


def _fill_column(model: type[Model], field: Field[Any, Any]) -> str:
    from django.db.models import JSONField

    label = f"{model._meta.label}.{field.name}"
    for number, row in enumerate(model._base_manager.all()):
        if label == "accounts.User.username" and row.username == "alice":
            continue  # she signs in
        text = f"{label} {HOSTILE}{number}"
        is_json = isinstance(field, JSONField)
        value = _with_text(getattr(row, field.name), text) if is_json else text
        model._base_manager.filter(pk=row.pk).update(**{field.name: value})
    return label


def _with_text(value: Any, text: str) -> Any:
    """A JSON value whose words, but for those of ours, are the text."""
    if isinstance(value, dict):
        return {k: v if k in KEPT_WORDS else _with_text(v, text) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_text(item, text) for item in value]
    return text if isinstance(value, str) else value


def _add_rows(world: World) -> None:
    """What only programs write: events, sentences, deliveries, licences."""
    from django.contrib.admin.models import CHANGE, LogEntry
    from django.utils import timezone

    from accounts.audit import record
    from accounts.models import OrganizationExport
    from streams.models import BroadcastEvent, Utterance
    from webhooks.models import WebhookAttempt

    now = timezone.now()
    on_air = {"broadcast": world.broadcast}
    events = (
        ("output", {"id": str(world.row.pk), "state": "failed", "reason": "x"}),
        ("viewer.failed", {"step": "x", "reason": "x"}),
        ("worker", {"kind": "speech", "state": "died", "reason": "x"}),
    )
    for number, (kind, data) in enumerate(events):
        BroadcastEvent.objects.create(**on_air, sequence=number, kind=kind, at=now, data=data)
    for source, state in (("operator", "failed"), ("script", "said"), ("script", "speaking")):
        Utterance.objects.create(**on_air, source=source, state=state, text="x", started_at=now)
    cues = world.broadcast.snapshot["cues"]
    cues[0]["card"] = {"title": "x", "price": "x", "url": "x"}
    world.broadcast.save()
    world.broadcast.show.cues.update(card=cues[0]["card"])
    WebhookAttempt.objects.create(delivery=world.delivery, number=1, latency_ms=1)
    filmed = {"engine": "musetalk", "licences": ["x"], "state": "failed"}
    type(world.avatar).objects.filter(pk=world.avatar.pk).update(**filmed)
    log = [{"at": now.isoformat(), "stage": "prepare", "message": "x"}]
    type(world.build).objects.filter(pk=world.build.pk).update(log=log)
    home = {"organization": world.cast.organization}
    OrganizationExport.objects.create(**home, state="failed", failure_reason="x")
    record(world.cast.alice, "accounts.device.signed_in", world.cast.alice, data={"device": "x"})
    LogEntry.objects.create(user=world.cast.alice, action_flag=CHANGE, object_repr="x")


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "livestudio.settings"
    import django

    django.setup()
    (Path(os.environ["DATA_DIR"]) / "hostile.json").write_text(json.dumps(fill()))
