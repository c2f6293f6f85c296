"""Every route of the API, asked by every role: who may, who is refused, who finds nothing.

The routes come from the URL conf: a new one without a row here fails the first test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import transaction
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart
from django.urls import URLPattern, URLResolver, reverse

from accounts.models import ApiKey, Invitation, User
from accounts.roles import PERMISSIONS, Role
from avatars.models import Avatar, AvatarClip
from inference.protocol import Signal
from livestudio.urls import api_patterns
from streams.models import Broadcast, BroadcastOutput, Output, Picture, Recording
from streams.services import signalling
from streams.services.pictures import Rewritten
from streams.services.thumbnails import keep_thumbnail
from tests.factories import (
    PASSWORD,
    Cast,
    add_member,
    api_client,
    error_of,
    make_api_key,
    make_cast,
    make_invitation,
)
from tests.streams.pictures import make_picture, png_bytes
from tests.streams.plans import CANARY_KEY, RTMP_URL, make_output, put_live, show_body
from voices.models import Pronunciation, Voice

METHODS = ("get", "post", "put", "patch", "delete")
SDP = "v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n"

# Lists of an organization, which the request has to name.
COLLECTIONS = (
    "avatars", "voices", "pronunciations", "shows", "outputs", "broadcasts", "pictures",
)  # fmt: skip
# What a row says instead of a permission.
ANYBODY = "anybody"  # no sign-in; what is refused is refused for other reasons
SIGNED_IN = "signed in"  # about the user alone, whatever the organization
WATCH = "watch"  # of a private show: every member, nobody else
SECRET = "secret address"  # the address itself is the right; without it nothing is found


@dataclass(frozen=True, slots=True)
class World:
    """One of each thing, all of Alice's organization."""

    cast: Cast
    broadcast: Broadcast
    output: Output
    spare: Output
    row: BroadcastOutput
    avatar: Avatar
    clip: AvatarClip
    voice: Voice
    pronunciation: Pronunciation
    recording: Recording
    picture: Picture
    api_key: ApiKey
    invitation: Invitation

    @property
    def ids(self) -> dict[str, Any]:
        """The values of every name in the addresses."""
        return {
            "show_id": self.broadcast.show_id,
            "cue_id": self.broadcast.snapshot["cues"][0]["id"],
            "output_id": self.output.pk,
            "broadcast_id": self.broadcast.pk,
            "avatar_id": self.avatar.pk,
            "clip_id": self.clip.pk,
            "voice_id": self.voice.pk,
            "pronunciation_id": self.pronunciation.pk,
            "recording_id": self.recording.pk,
            "picture_id": self.picture.pk,
            "device_id": "unknown",
            "organization_id": self.cast.organization.pk,
            "key_id": self.api_key.pk,
            "invitation_id": self.invitation.pk,
            "member_id": self.cast.bob.memberships.get().pk,
            "viewer": "0" * 32,
        }


@dataclass(frozen=True, slots=True)
class Row:
    """rule: a permission, or one of the words above. body: made from the world."""

    name: str
    method: str
    rule: str
    body: Callable[[World], Any] = field(default=lambda world: {})
    content_type: str = "application/json"
    # What those who may are answered; more than one where the object itself may refuse.
    answers: tuple[int, ...] = (200, 201, 202, 204)


def avatar_body(world: World) -> dict[str, Any]:
    return {"name": "New", "engine": "puppet", "settings": {"character": "lin"}}


def voice_body(world: World) -> dict[str, Any]:
    return {"name": "New", "engine": "espeak", "language": "en-US", "settings": {}}


def word_body(world: World) -> dict[str, Any]:
    return {"language": "zh-CN", "text": "长龙", "reading": "chang2 long2"}


def cue_body(world: World) -> dict[str, Any]:
    return {"text": "好。"}


def output_body(world: World) -> dict[str, Any]:
    return {"name": "New", "url": RTMP_URL, "stream_key": "a-new-stream-key"}


def key_body(world: World) -> dict[str, Any]:
    return {"stream_key": "a-new-stream-key"}


def picture_form() -> bytes:
    """A form with a file, as a browser sends it."""
    return encode_multipart(BOUNDARY, {"kind": "logo", "file": ContentFile(png_bytes(), "a.png")})


def key_draft(world: World) -> dict[str, Any]:
    return {"name": "Shop system", "scopes": ["show.edit"]}


def cue_order(world: World) -> list[str]:
    return [cue["id"] for cue in world.broadcast.snapshot["cues"]]


MANAGE = "organization.manage"
STEER = "broadcast.steer"
FORM = MULTIPART_CONTENT
ON_AIR = (409,)
ROWS = [
    Row("schema", "get", ANYBODY),
    Row("docs", "get", ANYBODY),
    Row("auth-options", "get", ANYBODY),
    Row("register", "post", ANYBODY, answers=(400,)),
    Row("token", "post", ANYBODY, answers=(400,)),
    Row("token-refresh", "post", ANYBODY, answers=(401,)),
    Row("logout", "post", SIGNED_IN),
    Row("devices", "get", SIGNED_IN),
    Row("device", "delete", SIGNED_IN, answers=(404,)),
    Row("password", "post", SIGNED_IN, answers=(400,)),
    Row("password-reset", "post", ANYBODY, answers=(400,)),
    Row("password-reset-confirm", "post", ANYBODY, answers=(400,)),
    Row("email-verify", "post", ANYBODY, answers=(400,)),
    Row("email-resend", "post", ANYBODY, answers=(400,)),
    Row("invitation-look", "post", ANYBODY, answers=(400,)),
    Row("invitation-accept", "post", SIGNED_IN, answers=(400,)),
    Row("totp", "get", SIGNED_IN),
    Row("totp", "post", SIGNED_IN, lambda world: {"password": PASSWORD}),
    Row("totp-confirm", "post", SIGNED_IN, lambda world: {"code": "000000"}, answers=ON_AIR),
    Row("totp-off", "post", SIGNED_IN, answers=(400,)),
    Row("totp-recovery-codes", "post", SIGNED_IN, lambda world: {"code": "000000"}, answers=ON_AIR),
    Row("me", "get", SIGNED_IN),
    Row("members", "get", MANAGE),
    Row("member", "patch", MANAGE, lambda world: {"role": "producer"}),
    Row("member", "delete", MANAGE),
    Row("invitations", "get", MANAGE),
    Row("invitations", "post", MANAGE, lambda world: {"email": "new@example.org"}),
    Row("organization-invitation", "delete", MANAGE),
    Row("api-keys", "get", MANAGE),
    Row("api-keys", "post", MANAGE, key_draft),
    Row("api-key", "delete", MANAGE),
    Row("avatars", "get", "avatar.view"),
    Row("avatars", "post", "avatar.edit", avatar_body),
    Row("avatar", "get", "avatar.view"),
    Row("avatar", "put", "avatar.edit", avatar_body),
    Row("avatar", "patch", "avatar.edit"),
    Row("avatar", "delete", "avatar.edit", answers=(409,)),
    Row("avatar-preview", "get", SECRET),
    Row("avatar-clips", "get", "avatar.view"),
    Row(
        "avatar-clips",
        "post",
        "avatar.edit",
        lambda world: {"name": "Nod", "engine_name": "nod", "duration_ms": 500},
        answers=(201, 400),  # an engine may have no such motion
    ),
    Row("avatar-clip", "get", "avatar.view"),
    Row("avatar-clip", "delete", "avatar.edit"),
    Row("voices", "get", "voice.view"),
    Row("voices", "post", "voice.edit", voice_body),
    Row("voice", "get", "voice.view"),
    Row("voice", "put", "voice.edit", voice_body),
    Row("voice", "patch", "voice.edit"),
    Row("voice", "delete", "voice.edit", answers=(409,)),
    Row("voice-preview", "post", "voice.view", lambda world: {"text": "好。"}),
    Row("pronunciations", "get", "voice.view"),
    Row("pronunciations", "post", "voice.edit", word_body),
    Row("pronunciation", "get", "voice.view"),
    Row("pronunciation", "patch", "voice.edit", lambda world: {"reading": "chong2"}),
    Row("pronunciation", "delete", "voice.edit"),
    Row("shows", "get", "show.view"),
    Row("shows", "post", "show.edit", lambda world: show_body(world.cast.organization)),
    Row("show", "get", "show.view"),
    Row("show", "patch", "show.edit", lambda world: {"title": "New"}),
    Row("show", "delete", "show.edit", answers=ON_AIR),
    Row("cues", "get", "show.view"),
    Row("cues", "post", "show.edit", cue_body),
    Row("cue", "get", "show.view"),
    Row("cue", "patch", "show.edit", cue_body),
    Row("cue", "delete", "show.edit"),
    Row("rundown", "put", "show.edit", cue_order),
    Row("occurrences", "get", "show.view"),
    Row("show-start", "post", "broadcast.start", answers=ON_AIR),
    Row("outputs", "get", "output.view"),
    Row("outputs", "post", "output.edit", output_body),
    Row("output", "get", "output.view"),
    Row("output", "patch", "output.edit", lambda world: {"name": "New"}),
    Row("output", "delete", "output.edit", answers=ON_AIR),
    Row("output-rotate-key", "post", "output.edit", key_body),
    Row("pictures", "get", "show.view"),
    Row("pictures", "post", "show.edit", lambda world: picture_form(), FORM),
    Row("picture", "get", "show.view"),
    Row("picture", "delete", "show.edit"),
    Row("picture-file", "get", SECRET),
    Row("broadcasts", "get", "broadcast.view"),
    Row("broadcast", "get", "broadcast.view"),
    Row("broadcast-stop", "post", "broadcast.start"),
    Row("broadcast-say", "post", STEER, cue_body),
    Row("broadcast-interrupt", "post", STEER),
    Row("broadcast-pause", "post", STEER),
    Row("broadcast-resume", "post", STEER),
    Row("broadcast-skip", "post", STEER),
    Row("broadcast-take", "post", STEER, lambda world: {"cue": cue_order(world)[0]}),
    Row("broadcast-expression", "post", STEER, lambda world: {"name": "happy"}),
    Row("broadcast-gesture", "post", STEER, lambda world: {"name": "wave"}),
    Row("broadcast-clip", "post", STEER, lambda world: {"clip": str(world.clip.pk)}),
    Row("broadcast-record", "post", STEER, lambda world: {"on": True}),
    Row("broadcast-outputs", "get", "broadcast.view"),
    Row("broadcast-outputs", "post", STEER, lambda world: {"output": str(world.spare.pk)}),
    Row("broadcast-output-start", "post", STEER),
    Row("broadcast-output-stop", "post", STEER),
    Row("broadcast-output-replace-key", "post", "broadcast.replace_key", key_body),
    Row("utterances", "get", "broadcast.view"),
    Row("events", "get", "broadcast.view"),
    Row("metrics", "get", "broadcast.view"),
    Row("recordings", "get", "recording.view"),
    Row("broadcast-thumbnail", "get", WATCH),
    Row("whep", "post", WATCH, lambda world: SDP, "application/sdp"),
    Row("whep-viewer", "patch", SECRET, lambda world: "", "application/trickle-ice-sdpfrag"),
    Row("whep-viewer", "delete", SECRET),
    Row("recording-file", "get", WATCH),
    Row(
        "ws-tickets",
        "post",
        WATCH,
        lambda world: {"purpose": "watch", "broadcast": str(world.broadcast.pk)},
    ),
]
ROLES = (*Role.values, "outsider", "anonymous")


def routes(patterns: list[Any]) -> Iterator[URLPattern]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns)
        else:
            yield pattern


def methods_of(pattern: URLPattern) -> list[str]:
    view: Any = pattern.callback
    view_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    return [method for method in METHODS if hasattr(view_class, method)] if view_class else ["get"]


def expected(row: Row, role: str) -> tuple[int, ...]:
    """The statuses that a role may be answered with."""
    if row.rule == ANYBODY:
        return row.answers
    if row.rule == SECRET:
        return (404,)
    if role == "anonymous":
        return (401,)
    if row.rule == SIGNED_IN:
        return row.answers
    if role == "outsider":
        return (404,)
    permission = "broadcast.view" if row.rule == WATCH else row.rule
    return row.answers if permission in PERMISSIONS[role] else (403,)


@pytest.fixture
def world(db: None) -> World:
    cache.clear()
    cast = make_cast()
    output = make_output(cast.organization, cast.alice, stream_key=CANARY_KEY)
    broadcast = put_live(cast, outputs=[output])
    keep_thumbnail(broadcast.pk, b"\xff\xd8")
    avatar = broadcast.show.avatar
    return World(
        cast=cast,
        broadcast=broadcast,
        output=output,
        spare=make_output(cast.organization, cast.alice, name="Spare"),
        row=broadcast.outputs.get(),
        avatar=avatar,
        clip=AvatarClip.objects.create(avatar=avatar, name="Bow", engine_name="bow"),
        voice=broadcast.show.voice,
        pronunciation=Pronunciation.objects.create(
            organization=cast.organization, language="zh-CN", text="重庆", reading="chong2 qing4"
        ),
        recording=_recording(broadcast),
        picture=make_picture(cast.organization),
        api_key=make_api_key(cast)[0],
        invitation=make_invitation(cast),
    )


@pytest.fixture
def people(world: World) -> dict[str, User | None]:
    """One user per role; the outsider owns another organization."""
    cast = world.cast
    return {
        "owner": cast.alice,
        "producer": add_member(cast.organization, "producer", "paula"),
        "operator": cast.bob,
        "viewer": add_member(cast.organization, "viewer", "dora"),
        "outsider": cast.charlie,
        "anonymous": None,
    }


@pytest.fixture(autouse=True)
def _stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner and the tools answer at once: only rights are asked about here."""

    async def answer(broadcast_id: Any, viewer: str, kind: str, data: Any, **_: Any) -> Signal:
        return Signal(viewer, "1", "answer", {"sdp": SDP})

    monkeypatch.setattr(signalling, "request", answer)
    told = {"utterance": None, "generation": 1}
    monkeypatch.setattr("streams.api.broadcasts.wait_for_result", lambda command: told)
    monkeypatch.setattr("voices.services.preview_voice", lambda **_: b"RIFF")
    rewritten = Rewritten(png_bytes(), "png", 32, 32)
    monkeypatch.setattr("streams.services.pictures.rewrite_upload", lambda *_: rewritten)


def test_every_route_and_method_has_a_row() -> None:
    found = {(p.name, m) for p in routes(api_patterns) for m in methods_of(p)}

    assert found == {(row.name, row.method) for row in ROWS}
    assert len(ROWS) == len(found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.name}-{row.method}")
def test_role_is_answered_as_the_table_says(
    row: Row, world: World, people: dict[str, User | None]
) -> None:
    path, body = address_of(row.name, world), row.body(world)

    answers = {role: ask(row, path, body, world, people[role]) for role in ROLES}

    wrong = {
        role: (answer.status_code, expected(row, role), answer.content[:200])
        for role, answer in answers.items()
        if answer.status_code not in expected(row, role)
    }
    assert not wrong
    for role, answer in answers.items():
        if answer.status_code == 403:
            assert error_of(answer)["code"] == "forbidden", role


def ask(row: Row, path: str, body: Any, world: World, user: User | None) -> Any:
    """One request, undone afterwards so that the next role meets the same world."""
    client = api_client(user)
    # An outsider who names the organization must not find it either.
    is_collection = row.name in COLLECTIONS
    headers = {"X-Organization": str(world.cast.organization.pk)} if is_collection else {}
    options: dict[str, Any] = {"headers": headers}
    with transaction.atomic():
        if row.method == "get":
            answer = client.get(path, **options)
        elif row.content_type != "application/json":
            kind = row.content_type
            answer = client.generic(row.method.upper(), path, body, content_type=kind, **options)
        else:
            answer = getattr(client, row.method)(path, body, format="json", **options)
        transaction.set_rollback(True)
    return answer


def address_of(name: str, world: World) -> str:
    pattern = next(item for item in routes(api_patterns) if item.name == name)
    names = pattern.pattern.converters
    return reverse(name, kwargs={key: world.ids[key] for key in names})


def _recording(broadcast: Broadcast) -> Recording:
    folder = Path(settings.RECORDINGS_DIR) / str(broadcast.pk)
    folder.mkdir(parents=True, exist_ok=True)
    # Empty: the part that is asked for is what other tests look at.
    (folder / "a.mp4").write_bytes(b"")
    return Recording.objects.create(
        broadcast=broadcast, runner_key="1", path=f"{broadcast.pk}/a.mp4", state="finished"
    )
