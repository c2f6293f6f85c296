"""REST views of outputs. No answer of theirs ever holds a stream key."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.response import Response

from accounts.endpoints import Endpoint
from accounts.roles import require_permission
from streams.access import get_output_for
from streams.api.answers import OutputAnswer
from streams.api.filters import OutputFilter
from streams.api.serializers import OutputSerializer
from streams.messages import output_json
from streams.selectors import list_outputs
from streams.services import outputs
from streams.verbs import StreamKeyBody


class OutputsView(Endpoint):
    """Destinations of the organization."""

    filterset_class = OutputFilter
    ordering_fields = ("created_at", "name")

    @extend_schema(responses=OutputSerializer(many=True))
    def get(self, request: Any) -> Response:
        """One page of outputs, newest first."""
        require_permission(self.user, "output.view", self.organization)
        return self.page(OutputAnswer, list_outputs(self.organization))

    @extend_schema(request=OutputSerializer, responses={201: OutputSerializer})
    def post(self, request: Any) -> Response:
        """Add a destination; the stream key is sealed at once."""
        require_permission(self.user, "output.edit", self.organization)
        values = self.valid(OutputSerializer)
        output = outputs.create_output(
            organization=self.organization,
            stream_key=values.pop("stream_key", ""),
            values=values,
            actor=self.user,
        )
        return Response(output_json(output), status=201)


class OutputView(Endpoint):
    """One destination."""

    @extend_schema(responses=OutputSerializer)
    def get(self, request: Any, output_id: UUID) -> Response:
        return Response(output_json(get_output_for(self.user, output_id, "output.view")))

    @extend_schema(request=OutputSerializer(partial=True), responses=OutputSerializer)
    def patch(self, request: Any, output_id: UUID) -> Response:
        """Change what is given. A new address needs the stream key again."""
        output = get_output_for(self.user, output_id, "output.edit")
        values = self.valid(OutputSerializer, partial=True)
        key = values.pop("stream_key", None)
        outputs.update_output(output=output, values=values, stream_key=key, actor=self.user)
        return Response(output_json(output))

    @extend_schema(responses={204: None})
    def delete(self, request: Any, output_id: UUID) -> Response:
        """Forget the destination and its key. 409 while it is on air."""
        output = get_output_for(self.user, output_id, "output.edit")
        outputs.delete_output(output=output, actor=self.user)
        return Response(status=204)


class RotateKeyView(Endpoint):
    """The key of a destination."""

    @extend_schema(request=StreamKeyBody, responses=OutputSerializer)
    def post(self, request: Any, output_id: UUID) -> Response:
        """Replace the key, also where it is on air now."""
        output = get_output_for(self.user, output_id, "output.edit")
        key = self.valid(StreamKeyBody)["stream_key"]
        outputs.rotate_key(output=output, stream_key=key, actor=self.user)
        return Response(output_json(output))
