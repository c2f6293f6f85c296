"""REST view of recorded files."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny

from accounts.endpoints import Endpoint
from livestudio.common.signed_links import is_signed
from streams.access import get_any_recording, get_recording_for
from streams.api.ranges import serve_file
from streams.api.watching import OneKindOfAnswer
from streams.errors import SignInRequiredError
from streams.services.recordings import recording_file


class RecordingFileView(Endpoint):
    """The MP4 of a recording."""

    permission_classes: ClassVar[Any] = [AllowAny]
    content_negotiation_class = OneKindOfAnswer

    @extend_schema(responses={(200, "video/mp4"): OpenApiTypes.BINARY})
    def get(self, request: Any, recording_id: UUID) -> HttpResponseBase:
        """The file, or the part that `Range` asks for (206, 416)."""
        if is_signed("recording", recording_id, request.GET.get("signature", "")):
            recording = get_any_recording(recording_id)
        elif request.user.is_authenticated:
            recording = get_recording_for(self.user, recording_id)
        else:
            raise SignInRequiredError("Sign in, or use the signed address of the recording.")
        path = recording_file(recording)
        header = request.headers.get("Range")
        return serve_file(path, content_type="video/mp4", range_header=header)
