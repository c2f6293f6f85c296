"""The JSON forms of rows, the same over REST and over the console."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.urls import reverse

from inference.protocol import PROTOCOL_VERSION
from livestudio.common.signed_links import Kind, signature_of
from streams.models import (
    Broadcast,
    BroadcastEvent,
    BroadcastOutput,
    Cue,
    Output,
    Picture,
    Recording,
    Schedule,
    Show,
    Utterance,
)

Json = dict[str, Any]
VERSION = PROTOCOL_VERSION


def show_json(show: Show) -> Json:
    """A show as the contract has it."""
    schedule: Schedule | None = getattr(show, "schedule", None)
    return {
        "id": str(show.pk),
        "title": show.title,
        "avatar": str(show.avatar_id),
        "voice": str(show.voice_id),
        "language": show.language,
        "profile": show.profile,
        "visibility": show.visibility,
        "background": show.background,
        "cues": [cue_json(cue) for cue in show.cues.all()],
        "rundown_mode": show.rundown_mode,
        "loop_pause_seconds": show.loop_pause_seconds,
        "ends": show.ends,
        "duration_minutes": show.duration_minutes,
        "schedule": schedule_json(schedule) if schedule else None,
        "outputs": [str(output.pk) for output in show.outputs.all()],
        "overlays": overlays_json(show),
        "record": show.record,
        "is_commercial": show.is_commercial,
        "created_at": moment(show.created_at),
        "updated_at": moment(show.updated_at),
    }


def overlays_json(show: Show) -> Json:
    """What is drawn over the picture of a show."""
    return {
        "captions": show.captions,
        "title": show.overlay_title,
        "logo": _logo_json(show),
        "lower_third": {"name": show.lower_third_name, "role": show.lower_third_role},
        "clock": {
            "format": show.clock_format,
            "position": show.clock_position,
            "timezone": show.clock_timezone,
        },
        "label": {"preset": show.label_preset, "position": show.label_position},
    }


def _logo_json(show: Show) -> Json | None:
    if show.logo_id is None:
        return None
    return {
        "picture": str(show.logo_id),
        "position": show.logo_position,
        "image_url": picture_url(show.logo_id),
    }


def schedule_json(schedule: Schedule) -> Json:
    """A schedule with its local times."""
    return {
        "starts_at_local": schedule.starts_at_local,
        "timezone": schedule.timezone,
        "rrule": schedule.rrule,
        "exdates": schedule.exdates,
        "catch_up": schedule.catch_up,
    }


def cue_json(cue: Cue) -> Json:
    """One item of a rundown."""
    return {
        "id": str(cue.pk),
        "position": cue.position,
        "kind": cue.kind,
        "text": cue.text,
        "expression": cue.expression,
        "gesture": cue.gesture,
        "emotion": cue.emotion,
        "clip": str(cue.clip_id) if cue.clip_id else None,
        "pause_seconds": cue.pause_seconds,
        "card": card_json(cue.kept_card),
    }


def card_json(card: Json | None) -> Json | None:
    """A card as `Cue.kept_card` gives it, with every field and the address of its picture."""
    if card is None:
        return None
    texts = {name: card.get(name, "") for name in ("title", "text", "price", "url")}
    picture = card.get("picture")
    return {**texts, "picture": picture, "image_url": picture_url(UUID(picture)) if picture else ""}


def picture_json(picture: Picture) -> Json:
    """An uploaded picture and where to fetch it."""
    return {
        "id": str(picture.pk),
        "name": picture.name,
        "kind": picture.kind,
        "width_px": picture.width_px,
        "height_px": picture.height_px,
        "image_url": picture_url(picture.pk),
        "created_at": moment(picture.created_at),
    }


def picture_url(picture_id: UUID) -> str:
    """The signed address of a picture, below this site's."""
    return _signed("picture-file", "picture", picture_id)


def output_json(output: Output) -> Json:
    """A destination. Its key is never part of it, only the last characters of a long one."""
    return {
        "id": str(output.pk),
        "name": output.name,
        "kind": output.kind,
        "url": output.url,
        "has_key": bool(output.sealed_stream_key),
        "key_hint": output.key_hint,
        "key_per_broadcast": output.key_per_broadcast,
        "created_at": moment(output.created_at),
    }


def broadcast_json(broadcast: Broadcast, *, base_url: str = "", with_runner: bool = False) -> Json:
    """A broadcast. base_url: put before its addresses; with_runner: for those who operate it."""
    pk = broadcast.pk
    answer: Json = {
        "id": str(pk),
        "show": str(broadcast.show_id),
        "title": broadcast.snapshot.get("title", ""),
        "state": broadcast.state,
        "reason": broadcast.reason,
        "started_at": moment(broadcast.started_at),
        "first_frame_at": moment(broadcast.first_frame_at),
        "ended_at": moment(broadcast.ended_at),
        "cursor": broadcast.cursor,
        "script": broadcast.script,
        "record": broadcast.recording_wanted,
        "outputs": _outputs_now(broadcast),
        "metrics": broadcast.metrics or None,
        "thumbnail_url": base_url + _signed("broadcast-thumbnail", "thumbnail", pk),
        "watch_url": base_url + reverse("watch", args=[pk]),
        "rundown": [
            {**cue, "card": card_json(cue.get("card"))}
            for cue in broadcast.snapshot.get("cues", [])
        ],
    }
    if with_runner:
        answer["runner"] = runner_json(broadcast)
    return answer


def _outputs_now(broadcast: Broadcast) -> list[Json]:
    """The outputs with their newest numbers: rows change with the state only."""
    newest = {item.get("id"): item for item in (broadcast.metrics or {}).get("outputs") or ()}
    found = []
    for row in broadcast.outputs.all():
        answer = broadcast_output_json(row)
        numbers = newest.get(answer["id"], {}) if row.state == "live" else {}
        found.append({**answer, **{key: numbers[key] for key in _MOVING if key in numbers}})
    return found


_MOVING: Final = ("bitrate_kbps", "dropped")


def runner_json(broadcast: Broadcast) -> Json | None:
    """The process of a broadcast, None before it was launched."""
    if broadcast.runner_pid is None:
        return None
    return {
        "pid": broadcast.runner_pid,
        "lease_epoch": broadcast.lease_epoch,
        "workers": broadcast.workers,
    }


def broadcast_output_json(row: BroadcastOutput) -> Json:
    """An output on one airing."""
    return {
        "id": str(row.pk),
        "output": str(row.output_id) if row.output_id else None,
        "name": row.name,
        "kind": row.kind,
        "state": row.state,
        "reason": row.reason,
        "bitrate_kbps": row.bitrate_kbps,
        "dropped": row.dropped,
        "reconnects": row.reconnects,
    }


def utterance_json(utterance: Utterance) -> Json:
    """One stretch of speech."""
    return {
        "id": str(utterance.pk),
        "source": utterance.source,
        "cue": utterance.cue,
        "sentence": utterance.sentence,
        "loop": utterance.loop,
        "text": utterance.text,
        "generation": utterance.generation,
        "state": utterance.state,
        "reason": utterance.reason,
        "started_at": moment(utterance.started_at),
        "media_time_ms": utterance.media_time_ms,
        "played_ms": utterance.played_ms,
        "duration_ms": utterance.duration_ms,
    }


def event_json(event: BroadcastEvent) -> Json:
    """One event of the runner."""
    return {
        "sequence": event.sequence,
        "kind": event.kind,
        "at": moment(event.at),
        "data": event.data,
    }


def recording_json(recording: Recording, *, base_url: str = "") -> Json:
    """One file made of a broadcast, and where to fetch it."""
    return {
        "id": str(recording.pk),
        "broadcast": str(recording.broadcast_id),
        "state": recording.state,
        "reason": recording.reason,
        "media_time_ms": recording.media_time_ms,
        "started_at": moment(recording.started_at),
        "ended_at": moment(recording.ended_at),
        "file_url": base_url + _signed("recording-file", "recording", recording.pk),
    }


def moment(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, or None."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _signed(view: str, kind: Kind, row_id: UUID) -> str:
    return f"{reverse(view, args=[row_id])}?signature={signature_of(kind, row_id)}"
