"""Shows, outputs and broadcasts as the tests of this app need them."""

from __future__ import annotations

from typing import Any

from accounts.models import Organization, User
from avatars.models import Avatar
from streams.models import Broadcast, BroadcastState, Output, Schedule, Show
from streams.services.lifecycle import start_broadcast
from streams.services.outputs import create_output
from streams.services.shows import ShowDraft, create_show
from streams.states import move
from tests.factories import Cast, api_client
from voices.models import Voice

API = "/api/v1/"
CANARY_KEY = "canary-7f3e-stream-key-91cc"
RTMP_URL = "rtmp://127.0.0.1:1935/live"


class Client:
    """The REST API below `/api/v1/` as one user: `client.post("shows/", {...})`."""

    def __init__(self, user: User | None, **headers: str) -> None:
        self.raw = api_client(user, **headers)

    def get(self, path: str, **query: str) -> Any:
        return self.raw.get(API + path, query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.raw.post(API + path, {} if body is None else body, headers=headers)

    def patch(self, path: str, body: Any) -> Any:
        return self.raw.patch(API + path, body)

    def put(self, path: str, body: Any) -> Any:
        return self.raw.put(API + path, body)

    def delete(self, path: str) -> Any:
        return self.raw.delete(API + path)


def show_body(organization: Organization, **values: Any) -> dict[str, Any]:
    """The body of `POST shows/` with two cues."""
    return {
        "title": "Evening",
        "avatar": str(Avatar.objects.filter(organization=organization)[0].pk),
        "voice": str(Voice.objects.filter(organization=organization)[0].pk),
        "cues": [{"text": "大家好。欢迎光临！"}, {"text": "[wave] 今天只要 99 元。", "emotion": 4}],
        **values,
    }


def make_show(organization: Organization, owner: User, **values: Any) -> Show:
    """A show with two cues, ready to start. values: fields of `Show`, `cues`, `outputs`."""
    cues = values.pop("cues", [{"text": "第一句。第二句。"}, {"text": "第三句。"}])
    outputs = values.pop("outputs", None)
    fields = {
        "title": "Evening",
        "avatar": Avatar.objects.filter(organization=organization)[0],
        "voice": Voice.objects.filter(organization=organization)[0],
        **values,
    }
    draft = ShowDraft(values=fields, cues=cues, outputs=outputs)
    return create_show(organization=organization, draft=draft, actor=owner)


def make_schedule(show: Show, **values: Any) -> Schedule:
    """A schedule as it lies in the database; by default once, at the start of 2026."""
    fields = {"starts_at_local": "2026-01-01T20:00:00", "timezone": "Asia/Shanghai", **values}
    return Schedule.objects.create(show=show, **fields)


def make_output(organization: Organization, owner: User, **values: Any) -> Output:
    """An RTMP output on loopback with the canary as its key."""
    key = values.pop("stream_key", CANARY_KEY)
    fields = {"name": "Main", "kind": "rtmp", "url": RTMP_URL, **values}
    return create_output(organization=organization, values=fields, stream_key=key, actor=owner)


def put_live(cast: Cast, **values: Any) -> Broadcast:
    """A broadcast that a runner would have brought to `live`."""
    show = make_show(cast.organization, cast.alice, **values)
    broadcast = start_broadcast(show=show, actor=cast.alice)
    assert move(broadcast, BroadcastState.LIVE)
    return broadcast
