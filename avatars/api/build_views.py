"""Builds of filmed presenters over REST."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

from django.http import FileResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.endpoints import Endpoint
from avatars.access import get_any_build, get_avatar_for, get_build_for
from avatars.api.serializers import BuildSerializer, BuildUploadSerializer
from avatars.builds import cancel_build, retry_build, start_build, use_build
from avatars.bundle_archive import stream_archive
from avatars.models import AvatarBuild
from avatars.previews import build_preview_path
from avatars.uploads import LANDMARKS_MAX_BYTES, UPLOAD_MAX_BYTES
from livestudio.common.errors import NotFoundError
from livestudio.common.signed_links import is_signed

# The other fields and the boundaries of a form beside its files.
FORM_MAX_BYTES: Final = UPLOAD_MAX_BYTES + LANDMARKS_MAX_BYTES + 64 * 1024


class BuildsView(Endpoint):
    """Versions of a filmed presenter."""

    parser_classes: ClassVar[Any] = [MultiPartParser]
    body_max_bytes = FORM_MAX_BYTES

    @extend_schema(responses={200: BuildSerializer(many=True)})
    def get(self, request: Request, avatar_id: UUID) -> Response:
        """The versions of a presenter."""
        avatar = get_avatar_for(self.user, avatar_id, "avatar.view")
        return self.page(BuildSerializer, AvatarBuild.objects.filter(avatar=avatar))

    @extend_schema(request=BuildUploadSerializer, responses={201: BuildSerializer})
    def post(self, request: Request, avatar_id: UUID) -> Response:
        """Build another version of a new upload; shows keep the one in use until it is ready."""
        avatar = get_avatar_for(self.user, avatar_id, "avatar.edit")
        uploads = self.valid(BuildUploadSerializer)
        build = start_build(avatar=avatar, uploads=uploads, actor=self.user)
        return self.rendered(BuildSerializer, build, status=201)


class BuildView(Endpoint):
    serializer_class = BuildSerializer

    @extend_schema(responses={200: BuildSerializer})
    def get(self, request: Request, avatar_id: UUID, build_id: UUID) -> Response:
        """One version, its progress and its log."""
        build = get_build_for(self.user, avatar_id, build_id, "avatar.view")
        return self.rendered(BuildSerializer, build)


class BuildCancelView(Endpoint):
    serializer_class = BuildSerializer

    @extend_schema(request=None, responses={202: BuildSerializer})
    def post(self, request: Request, avatar_id: UUID, build_id: UUID) -> Response:
        """End a build; 409 `build_not_possible` when it is over."""
        build = get_build_for(self.user, avatar_id, build_id, "avatar.edit")
        cancelled = cancel_build(build=build, actor=self.user)
        return self.rendered(BuildSerializer, cancelled, status=202)


class BuildRetryView(Endpoint):
    serializer_class = BuildSerializer

    @extend_schema(request=None, responses={202: BuildSerializer})
    def post(self, request: Request, avatar_id: UUID, build_id: UUID) -> Response:
        """Build a failed version again, of the same upload: 409 `build_not_possible` otherwise."""
        build = get_build_for(self.user, avatar_id, build_id, "avatar.edit")
        queued = retry_build(build=build, actor=self.user)
        return self.rendered(BuildSerializer, queued, status=202)


class BuildBundleView(Endpoint):
    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, avatar_id: UUID, build_id: UUID) -> StreamingHttpResponse:
        """A finished version as a zip, for those who may edit: post it as `file` elsewhere."""
        build = get_build_for(self.user, avatar_id, build_id, "avatar.edit")
        headers = {
            "Content-Disposition": 'attachment; filename="presenter.zip"',
            "Cache-Control": "no-store",
        }
        zipped = stream_archive(build)
        return StreamingHttpResponse(zipped, content_type="application/zip", headers=headers)


class BuildUseView(Endpoint):
    serializer_class = BuildSerializer

    @extend_schema(request=None, responses={200: BuildSerializer})
    def post(self, request: Request, avatar_id: UUID, build_id: UUID) -> Response:
        """Go back (or on) to a version that was built. Airings keep the one they began with."""
        build = get_build_for(self.user, avatar_id, build_id, "avatar.edit")
        return self.rendered(BuildSerializer, use_build(build=build, actor=self.user))


class BuildPreviewView(Endpoint):
    """A film for a <video>, which cannot sign in: the address is signed."""

    authentication_classes = ()
    permission_classes: ClassVar[Any] = [AllowAny]

    @extend_schema(responses={(200, "video/mp4"): OpenApiTypes.BINARY})
    def get(self, request: Request, avatar_id: UUID, build_id: UUID) -> FileResponse:
        """A few seconds of the version speaking."""
        if not is_signed("avatar-build", build_id, request.GET.get("signature", "")):
            raise NotFoundError
        path = build_preview_path(get_any_build(avatar_id, build_id))
        answer = FileResponse(path.open("rb"), content_type="video/mp4")
        answer["Cache-Control"] = "private, max-age=3600"
        return answer
