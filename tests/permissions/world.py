"""Two organizations with one of each thing, and everybody who may ask about them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.db import models

from accounts.models import ApiKey, Consent, Invitation, User
from accounts.roles import PERMISSIONS, Role
from accounts.services import members
from avatars.models import Avatar, AvatarBuild, AvatarClip
from streams.models import Broadcast, BroadcastOutput, CalendarAddress, Output, Picture, Recording
from streams.services.calendar_address import renew_address
from streams.services.thumbnails import keep_thumbnail
from tests.factories import (
    Cast,
    UserFactory,
    access_token,
    add_member,
    make_api_key,
    make_cast,
    make_invitation,
)
from tests.streams.pictures import make_picture
from tests.streams.plans import CANARY_KEY, make_output, put_live
from voices.models import Pronunciation, Voice
from webhooks.models import Webhook, WebhookDelivery
from webhooks.services.deliveries import send_test
from webhooks.services.endpoints import create_webhook


@dataclass(frozen=True, slots=True)
class World:
    """One of each thing of one organization. A new kind of row: a field here, made in `_fill`."""

    cast: Cast
    broadcast: Broadcast
    output: Output
    spare: Output
    row: BroadcastOutput
    avatar: Avatar
    clip: AvatarClip
    build: AvatarBuild
    voice: Voice
    pronunciation: Pronunciation
    recording: Recording
    picture: Picture
    api_key: ApiKey
    invitation: Invitation
    webhook: Webhook
    delivery: WebhookDelivery
    consent: Consent
    calendar: CalendarAddress

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
            "build_id": self.build.pk,
            "voice_id": self.voice.pk,
            "pronunciation_id": self.pronunciation.pk,
            "recording_id": self.recording.pk,
            "picture_id": self.picture.pk,
            "device_id": "unknown",
            "organization_id": self.cast.organization.pk,
            "key_id": self.api_key.pk,
            "invitation_id": self.invitation.pk,
            "export_id": self.invitation.pk,  # of no export: its address alone opens nothing
            "webhook_id": self.webhook.pk,
            "delivery_id": self.delivery.pk,
            "consent_id": self.consent.pk,
            "member_id": self.cast.bob.memberships.get().pk,
            "viewer": "0" * 32,
        }

    @property
    def marks(self) -> set[str]:
        """Texts that no stranger may ever read: the ids of its rows, and its key."""
        rows = [getattr(self, item.name) for item in fields(self)]
        keys = {str(row.pk) for row in rows if isinstance(row, models.Model)}
        ids = {str(value) for value in self.ids.values() if _is_uuid(value)}
        return keys | ids | {CANARY_KEY, self.api_key.prefix, self.cast.organization.name}


@dataclass(frozen=True, slots=True)
class Asker:
    """Somebody who asks. role: in the first organization, or `stranger`. away: in the second."""

    name: str
    user: User | None
    role: str
    token: str = ""
    away: str = ""

    def may(self, permission: str) -> bool:
        return self.role == SUPERUSER or permission in PERMISSIONS.get(self.role, ())


ANONYMOUS: Final = "anonymous"  # not signed in, or with a sign-in that is over
STRANGER: Final = "stranger"  # signed in, and no member
SUPERUSER: Final = "superuser"


def make_worlds() -> tuple[World, World]:
    """Alice's world and Charlie's, alike to the last row."""
    cache.clear()
    cast = make_cast()
    away = Cast(
        organization=cast.elsewhere,
        elsewhere=cast.organization,
        alice=cast.charlie,
        bob=add_member(cast.elsewhere, Role.OPERATOR, "ellie"),
        charlie=cast.alice,
    )
    return _fill(cast), _fill(away)


def keep_cached(world: World) -> None:
    """Empty the cache (limits, locks) and put back what a running show keeps in it."""
    cache.clear()
    keep_thumbnail(world.broadcast.pk, b"\xff\xd8")


def make_askers(world: World) -> list[Asker]:
    """Each role at home, each role elsewhere, and those who belong nowhere."""
    cast = world.cast
    home = {"owner": cast.alice, "operator": cast.bob}
    away = {"owner": cast.charlie}
    for role in Role.values:
        home.setdefault(role, add_member(cast.organization, role, f"home_{role}"))
        away.setdefault(role, add_member(cast.elsewhere, role, f"away_{role}"))
    askers = [Asker(role, user, role) for role, user in home.items()]
    askers += [Asker(f"{role} elsewhere", user, STRANGER, away=role) for role, user in away.items()]
    askers += _odd_ones(cast)
    return [replace(item, token=item.token or _token(item)) for item in askers]


def _odd_ones(cast: Cast) -> list[Asker]:
    two_hats = add_member(cast.elsewhere, Role.OWNER, "two_hats")
    members.set_role(
        organization=cast.organization, user=two_hats, role=Role.VIEWER, actor=cast.alice
    )
    left = add_member(cast.organization, Role.OWNER, "left")
    left_token = access_token(left)
    members.remove_member(membership=left.memberships.get(), actor=cast.alice)
    gone = add_member(cast.organization, Role.OWNER, "gone")
    gone_token = access_token(gone)
    User.objects.filter(pk=gone.pk).update(is_active=False)
    root: Any = UserFactory(username="root", is_superuser=True, is_staff=True)
    return [
        Asker("owner elsewhere, viewer here", two_hats, Role.VIEWER, away=Role.OWNER),
        Asker("former owner", left, STRANGER, left_token),
        Asker("without organization", UserFactory(username="nobody"), STRANGER),
        Asker("deactivated owner", gone, ANONYMOUS, gone_token),
        Asker("superuser", root, SUPERUSER),
        Asker("anonymous", None, ANONYMOUS),
    ]


def _token(asker: Asker) -> str:
    return access_token(asker.user) if asker.user is not None else ""


def _fill(cast: Cast) -> World:
    output = make_output(cast.organization, cast.alice, stream_key=CANARY_KEY)
    broadcast = put_live(cast, outputs=[output])
    keep_thumbnail(broadcast.pk, b"\xff\xd8")
    avatar = broadcast.show.avatar
    webhook, _ = create_webhook(
        organization=cast.organization, values={"url": "http://127.0.0.1:9/"}, actor=cast.alice
    )
    return World(
        cast=cast,
        broadcast=broadcast,
        output=output,
        spare=make_output(cast.organization, cast.alice, name="Spare"),
        row=broadcast.outputs.get(),
        avatar=avatar,
        clip=AvatarClip.objects.create(avatar=avatar, name="Bow", engine_name="bow"),
        build=AvatarBuild.objects.create(
            avatar=avatar, number=1, engine="musetalk", state=AvatarBuild.State.FAILED
        ),
        voice=broadcast.show.voice,
        pronunciation=Pronunciation.objects.create(
            organization=cast.organization, language="zh-CN", text="重庆", reading="chong2 qing4"
        ),
        recording=_recording(broadcast),
        picture=make_picture(cast.organization),
        api_key=make_api_key(cast)[0],
        invitation=make_invitation(cast),
        webhook=webhook,
        delivery=send_test(webhook=webhook, actor=cast.alice),
        consent=Consent.objects.create(organization=cast.organization, subject="Lin", scope="both"),
        calendar=renew_address(organization=cast.organization, actor=cast.alice)[0],
    )


def _recording(broadcast: Broadcast) -> Recording:
    folder = Path(settings.RECORDINGS_DIR) / str(broadcast.pk)
    folder.mkdir(parents=True, exist_ok=True)
    # Empty: the part that is asked for is what other tests look at.
    (folder / "a.mp4").write_bytes(b"")
    return Recording.objects.create(
        broadcast=broadcast, runner_key="1", path=f"{broadcast.pk}/a.mp4", state="finished"
    )


def _is_uuid(value: Any) -> bool:
    try:
        UUID(str(value))
    except ValueError:
        return False
    return True
