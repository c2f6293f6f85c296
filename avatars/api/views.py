"""Avatars over REST."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints import BODY_MAX_BYTES, Endpoint
from accounts.roles import require_permission
from accounts.services.consents import with_consent
from avatars import services
from avatars.access import get_any_avatar, get_avatar_for, get_clip_for
from avatars.api.build_views import FORM_MAX_BYTES
from avatars.api.filters import AvatarFilter
from avatars.api.serializers import (
    AvatarSerializer,
    AvatarUploadSerializer,
    AvatarWeightsSerializer,
    AvatarWriteSerializer,
    ClipSerializer,
    ClipWriteSerializer,
    ModelServersSerializer,
)
from avatars.builds import create_filmed_avatar
from avatars.bundles import present_servers
from avatars.models import AvatarClip
from avatars.previews import is_signed, read_preview
from avatars.selectors import list_avatars
from avatars.weights import weights_of
from inference.model_servers import read_state
from livestudio.common.errors import NotFoundError
from livestudio.common.parsers import StrictJSONParser


class AvatarsView(Endpoint):
    serializer_class = AvatarSerializer
    filterset_class = AvatarFilter
    ordering_fields = ("created_at", "name")
    parser_classes: ClassVar[Any] = [StrictJSONParser, MultiPartParser]

    @property
    def body_max_bytes(self) -> int:  # type: ignore[override]  # by the form of the body
        is_form = str(self.request.content_type or "").startswith("multipart/")
        return FORM_MAX_BYTES if is_form else BODY_MAX_BYTES

    @extend_schema(responses={200: AvatarSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """The organization's avatars."""
        require_permission(self.user, "avatar.view", self.organization)
        return self.page(AvatarSerializer, list_avatars(self.organization))

    @extend_schema(
        request={
            "application/json": AvatarWriteSerializer,
            "multipart/form-data": AvatarUploadSerializer,
        },
        responses={201: AvatarSerializer},
    )
    def post(self, request: Request) -> Response:
        """Make an avatar; with a form, a filmed one that is then `building`."""
        if str(request.content_type or "").startswith("multipart/"):
            return self._post_film()
        avatar = services.create_avatar(
            organization=self.organization,
            values=with_consent(self.valid(AvatarWriteSerializer), self.organization),
            actor=self.user,
        )
        return self.rendered(AvatarSerializer, avatar, status=201)

    def _post_film(self) -> Response:
        require_permission(self.user, "avatar.edit", self.organization)
        values = with_consent(self.valid(AvatarUploadSerializer), self.organization)
        uploads = {name: values.pop(name, None) for name in ("file", "landmarks", "options")}
        avatar = create_filmed_avatar(
            organization=self.organization, values=values, uploads=uploads, actor=self.user
        )
        return self.rendered(AvatarSerializer, avatar, status=201)


class AvatarView(Endpoint):
    serializer_class = AvatarSerializer

    @extend_schema(responses={200: AvatarSerializer})
    def get(self, request: Request, avatar_id: UUID) -> Response:
        """One avatar."""
        return self.rendered(AvatarSerializer, get_avatar_for(self.user, avatar_id, "avatar.view"))

    @extend_schema(request=AvatarWriteSerializer, responses={200: AvatarSerializer})
    def put(self, request: Request, avatar_id: UUID) -> Response:
        """Replace an avatar's values."""
        return self._update(avatar_id, partial=False)

    @extend_schema(request=AvatarWriteSerializer, responses={200: AvatarSerializer})
    def patch(self, request: Request, avatar_id: UUID) -> Response:
        """Change some of an avatar's values."""
        return self._update(avatar_id, partial=True)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, avatar_id: UUID) -> Response:
        """Remove an avatar that no show uses."""
        avatar = get_avatar_for(self.user, avatar_id, "avatar.edit")
        services.delete_avatar(avatar=avatar, actor=self.user)
        return Response(status=204)

    def _update(self, avatar_id: UUID, *, partial: bool) -> Response:
        avatar = get_avatar_for(self.user, avatar_id, "avatar.edit")
        values: dict[str, Any] = self.valid(AvatarWriteSerializer, partial=partial)
        values = with_consent(values, avatar.organization)
        avatar = services.update_avatar(avatar=avatar, values=values, actor=self.user)
        return self.rendered(AvatarSerializer, avatar)


class AvatarPreviewView(Endpoint):
    """A picture for an <img>, which cannot sign in: the address is signed."""

    authentication_classes = ()
    permission_classes = (AllowAny,)

    @extend_schema(responses={(200, "image/png"): OpenApiResponse(OpenApiTypes.BINARY)})
    def get(self, request: Request, avatar_id: UUID) -> HttpResponse:
        """The picture of an avatar."""
        avatar = get_any_avatar(avatar_id)
        if not is_signed(avatar, request.GET.get("signature", "")):
            raise NotFoundError
        answer = HttpResponse(read_preview(avatar), content_type="image/png")
        answer["Cache-Control"] = "private, max-age=300"
        return answer


class AvatarWeightsView(Endpoint):
    serializer_class = AvatarWeightsSerializer

    @extend_schema(responses={200: AvatarWeightsSerializer})
    def get(self, request: Request, avatar_id: UUID) -> Response:
        """The weights that this avatar's engine loads: which are here, their licences."""
        avatar = get_avatar_for(self.user, avatar_id, "avatar.view")
        return self.rendered(AvatarWeightsSerializer, weights_of(avatar))


class ClipsView(Endpoint):
    serializer_class = ClipSerializer

    @extend_schema(responses={200: ClipSerializer(many=True)})
    def get(self, request: Request, avatar_id: UUID) -> Response:
        """The recorded motions of an avatar."""
        avatar = get_avatar_for(self.user, avatar_id, "avatar.view")
        return self.page(ClipSerializer, AvatarClip.objects.filter(avatar=avatar))

    @extend_schema(request=ClipWriteSerializer, responses={201: ClipSerializer})
    def post(self, request: Request, avatar_id: UUID) -> Response:
        """Give a motion that the engine has recorded a name."""
        avatar = get_avatar_for(self.user, avatar_id, "avatar.edit")
        values = self.valid(ClipWriteSerializer)
        clip = services.create_clip(avatar=avatar, values=values, actor=self.user)
        return self.rendered(ClipSerializer, clip, status=201)


class ClipView(Endpoint):
    serializer_class = ClipSerializer

    @extend_schema(responses={200: ClipSerializer})
    def get(self, request: Request, avatar_id: UUID, clip_id: UUID) -> Response:
        """One recorded motion."""
        clip = get_clip_for(self.user, avatar_id, clip_id, "avatar.view")
        return self.rendered(ClipSerializer, clip)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, avatar_id: UUID, clip_id: UUID) -> Response:
        """Remove a motion that no cue plays."""
        clip = get_clip_for(self.user, avatar_id, clip_id, "avatar.edit")
        services.delete_clip(clip=clip, actor=self.user)
        return Response(status=204)


class ModelServersView(Endpoint):
    serializer_class = ModelServersSerializer

    @extend_schema(responses={200: ModelServersSerializer})
    def get(self, request: Request) -> Response:
        """The GPUs of this host that paint filmed presenters: load, time of a face, room left."""
        require_permission(self.user, "avatar.view", self.organization)
        states = [read_state(server) for server in present_servers()]
        return self.rendered(ModelServersSerializer, {"servers": states})
