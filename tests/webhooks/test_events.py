"""What is told of shows and broadcasts, judged by the exported schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from accounts.event_types import schema
from avatars import build_events
from avatars.models import AvatarBuild
from inference.builds import BuildEvent
from inference.protocol import Event
from streams.models import Broadcast
from streams.runner_events import apply_event
from streams.services.lifecycle import finish_broadcast, start_broadcast
from streams.states import move
from tests.avatars.test_builds import finish
from tests.factories import AvatarFactory, Cast, api_client
from tests.streams.plans import make_output, make_show
from tests.webhooks.conftest import make_webhook
from webhooks.models import WebhookDelivery

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(cast: Cast) -> Any:
    """The bodies so far, oldest first, each of the form that is published."""
    make_webhook(cast, event_types=list(schema()["$defs"]))
    validator = Draft202012Validator(schema(), format_checker=Draft202012Validator.FORMAT_CHECKER)

    def bodies() -> list[dict[str, Any]]:
        rows = WebhookDelivery.objects.order_by("created_at", "id")
        found = [json.loads(row.body) for row in rows]
        for body in found:
            validator.validate(body)
        return found

    return bodies


def apply(broadcast: Broadcast, kind: str, **data: Any) -> None:
    apply_event(broadcast, Event(1, kind, "2026-11-20T08:00:00.000Z", data))


def test_a_show_is_told_when_it_is_made_changed_and_put_away(cast: Cast, told: Any) -> None:
    show = make_show(cast.organization, cast.alice)
    client = api_client(cast.alice)
    client.patch(f"/api/v1/shows/{show.pk}/", {"title": "晚安"}, format="json")
    client.post(f"/api/v1/shows/{show.pk}/cues/", {"text": "好。"}, format="json")
    client.delete(f"/api/v1/shows/{show.pk}/")

    bodies = told()

    assert [body["type"] for body in bodies] == [
        "show.created", "show.changed", "show.changed", "show.deleted",
    ]  # fmt: skip
    assert bodies[1]["data"] == {
        "organization": str(cast.organization.pk), "show": str(show.pk), "title": "晚安",
    }  # fmt: skip


def test_a_broadcast_is_told_from_start_to_end_and_each_state_once(cast: Cast, told: Any) -> None:
    output = make_output(cast.organization, cast.alice)
    show = make_show(cast.organization, cast.alice)
    show.outputs.set([output])
    WebhookDelivery.objects.all().delete()
    broadcast = start_broadcast(show=show, actor=cast.bob)
    row = broadcast.outputs.get()
    said = {"id": "u1", "source": "script", "text": "好。", "played_ms": 900, "duration_ms": 900}

    for _ in range(2):
        apply(broadcast, "broadcast.state", state="live", reason="")
        for state in ("connecting", "live", "live", "retrying", "failed", "stopped"):
            apply(broadcast, "output", id=str(row.pk), state=state, reason="x")
            row.refresh_from_db()
    apply(broadcast, "utterance", **said, state="speaking")
    apply(broadcast, "utterance", **said, state="said")
    move(broadcast, "recovering", "lost")
    move(broadcast, "live")
    finish_broadcast(broadcast=broadcast, state="ended", reason="over")
    finish_broadcast(broadcast=broadcast, state="failed", reason="too late")

    bodies = told()
    kinds = [body["type"] for body in bodies]
    outputs = ["output.live", "output.retrying", "output.failed"]
    assert kinds == [
        "broadcast.started", "broadcast.live", *outputs, *outputs, "utterance.said",
        "broadcast.recovering", "broadcast.live", "broadcast.ended",
    ]  # fmt: skip
    assert bodies[2]["data"]["output"] == str(output.pk)
    assert bodies[-1]["data"]["reason"] == "over"
    assert bodies[-1]["data"]["ended_at"].endswith("Z")


def test_a_presenter_is_told_when_it_is_built_and_when_it_cannot_be(cast: Cast, told: Any) -> None:
    avatar = AvatarFactory(organization=cast.organization, name="Lin")
    values = {"avatar": avatar, "engine": "musetalk_tiny"}
    built, refused = (AvatarBuild.objects.create(number=number, **values) for number in (1, 2))
    finish(built)

    build_events.apply_event(
        refused, BuildEvent("refused", {"code": "no_face", "message": "There is no face."})
    )

    ready, failed = told()
    assert (ready["type"], failed["type"]) == ("avatar.ready", "avatar.failed")
    assert (ready["data"]["avatar"], ready["data"]["name"]) == (str(avatar.pk), "Lin")
    assert failed["data"]["reason"] == "There is no face."
