"""REST views of uploaded pictures."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from accounts.endpoints import Endpoint
from accounts.roles import require_permission
from livestudio.common.errors import NotFoundError
from livestudio.common.signed_links import is_signed
from streams.access import get_any_picture, get_picture_for
from streams.api.answers import PictureAnswer
from streams.api.filters import PictureFilter
from streams.fields import ChoiceField
from streams.models.picture import PictureKind
from streams.selectors import list_pictures
from streams.services.pictures import (
    PICTURE_MAX_BYTES,
    create_picture,
    delete_picture,
    read_picture,
)

# The other fields and the boundaries of a form beside its file.
_FORM_MAX_BYTES: Final = PICTURE_MAX_BYTES + 64 * 1024


class PictureSerializer(serializers.Serializer[Any]):
    """A form (multipart/form-data) with the file: JPEG, PNG or WebP by what is in it."""

    file = serializers.FileField(max_length=255)
    kind = ChoiceField(choices=PictureKind.choices)
    name = serializers.CharField(max_length=100, required=False, allow_blank=True, default="")


class PicturesView(Endpoint):
    """Pictures that shows and cards may name."""

    parser_classes: ClassVar[Any] = [MultiPartParser]
    filterset_class = PictureFilter
    ordering_fields = ("created_at", "name")
    body_max_bytes = _FORM_MAX_BYTES

    @extend_schema(responses=PictureAnswer(many=True))
    def get(self, request: Any) -> Response:
        """One page of pictures, newest first."""
        require_permission(self.user, "show.view", self.organization)
        return self.page(PictureAnswer, list_pictures(self.organization))

    @extend_schema(request=PictureSerializer, responses={201: PictureAnswer})
    def post(self, request: Any) -> Response:
        """Upload one: at most 8 MB and 40 megapixels. Its file never changes afterwards."""
        require_permission(self.user, "show.edit", self.organization)
        values = self.valid(PictureSerializer)
        picture = create_picture(
            organization=self.organization,
            kind=values["kind"],
            name=values["name"],
            upload=values["file"],
            actor=self.user,
        )
        return self.rendered(PictureAnswer, picture, status=201)


class PictureView(Endpoint):
    """One picture."""

    @extend_schema(responses=PictureAnswer)
    def get(self, request: Any, picture_id: UUID) -> Response:
        return self.rendered(PictureAnswer, get_picture_for(self.user, picture_id, "show.view"))

    @extend_schema(responses={204: None})
    def delete(self, request: Any, picture_id: UUID) -> Response:
        """Remove one that nothing uses; 409 `picture_in_use` otherwise."""
        picture = get_picture_for(self.user, picture_id, "show.edit")
        delete_picture(picture=picture, actor=self.user)
        return Response(status=204)


class PictureFileView(Endpoint):
    """The file for an <img>, which cannot sign in: the address is signed."""

    authentication_classes = ()
    permission_classes: ClassVar[Any] = [AllowAny]

    @extend_schema(responses={(200, "image/*"): OpenApiTypes.BINARY})
    def get(self, request: Any, picture_id: UUID) -> HttpResponse:
        """The picture as JPEG or PNG."""
        if not is_signed("picture", picture_id, request.GET.get("signature", "")):
            raise NotFoundError
        content, content_type = read_picture(get_any_picture(picture_id))
        answer = HttpResponse(content, content_type=content_type)
        answer["Cache-Control"] = "private, max-age=3600"
        return answer
