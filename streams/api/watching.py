"""REST views of those who watch: WHEP, tickets of the websockets, thumbnails."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.response import Response

from accounts.credentials import credential_of
from accounts.endpoints import Endpoint
from livestudio.common.errors import NotFoundError
from livestudio.common.signed_links import is_signed
from livestudio.common.throttles import JoinThrottle
from streams.access import get_any_broadcast, get_broadcast_for, get_watchable_broadcast
from streams.api.answers import TicketAnswer
from streams.api.parsers import CandidatesParser, SdpParser
from streams.errors import SignInRequiredError
from streams.fields import ChoiceField
from streams.models import Broadcast
from streams.models.ticket import TicketPurpose
from streams.services import whep
from streams.services.ice import ice_servers
from streams.services.offers import source_of
from streams.services.thumbnails import look_at_thumbnail
from streams.services.tickets import TICKET_LIFE_SECONDS, create_ticket

SDP_TYPE = "application/sdp"


class OneKindOfAnswer(BaseContentNegotiation):
    """What is answered does not depend on `Accept`: SDP, or the error form in JSON."""

    def select_parser(self, request: Any, parsers: Any) -> Any:
        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class WhepView(Endpoint):
    """Watch a broadcast by WebRTC over HTTP."""

    throttle_classes: ClassVar[Any] = [JoinThrottle]
    permission_classes: ClassVar[Any] = [AllowAny]
    parser_classes: ClassVar[Any] = [SdpParser]
    content_negotiation_class = OneKindOfAnswer

    @extend_schema(
        request={SDP_TYPE: OpenApiTypes.STR}, responses={(201, SDP_TYPE): OpenApiTypes.STR}
    )
    def post(self, request: Any, broadcast_id: UUID) -> HttpResponse:
        """Join: an offer in, an answer with all candidates out, `Location` names the viewer."""
        broadcast = get_watchable_broadcast(request.user, broadcast_id)
        source = source_of(JoinThrottle().get_ident(request))
        joined = whep.join(
            broadcast=broadcast,
            offer=_text(request),
            source=source,
            user=self.user if request.user.is_authenticated else None,
            auth=request.auth,
        )
        answer = HttpResponse(joined.sdp, status=201, content_type=SDP_TYPE)
        answer["Location"] = reverse("whep-viewer", args=[broadcast.pk, joined.viewer])
        # RFC 9725, section 4.3: tells that candidates may be trickled, and how.
        answer["Accept-Patch"] = CandidatesParser.media_type
        answer["Cache-Control"] = "no-store"
        return answer

    @extend_schema(exclude=True)
    def options(self, request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """What a WHEP client may post here."""
        answer = HttpResponse(status=204)
        answer["Accept-Post"] = SDP_TYPE
        answer["Allow"] = "POST, OPTIONS"
        return answer


class WhepViewerView(Endpoint):
    """One viewer; its id is all that is needed, and hard to guess."""

    permission_classes: ClassVar[Any] = [AllowAny]
    parser_classes: ClassVar[Any] = [CandidatesParser]
    content_negotiation_class = OneKindOfAnswer

    @extend_schema(request={CandidatesParser.media_type: OpenApiTypes.STR}, responses={204: None})
    def patch(self, request: Any, broadcast_id: UUID, viewer: str) -> Response:
        """Trickle candidates."""
        whep.trickle(broadcast_id=broadcast_id, viewer=viewer, fragment=_text(request))
        return Response(status=204)

    @extend_schema(responses={204: None})
    def delete(self, request: Any, broadcast_id: UUID, viewer: str) -> HttpResponse:
        """Leave."""
        whep.leave(broadcast_id=broadcast_id, viewer=viewer)
        return HttpResponse(status=204)


class TicketBody(serializers.Serializer[Any]):
    purpose = ChoiceField(choices=TicketPurpose.choices)
    broadcast = serializers.UUIDField(help_text="A broadcast; to watch, also a show.")


class TicketsView(Endpoint):
    """Tickets that open one websocket each."""

    throttle_classes: ClassVar[Any] = [JoinThrottle]
    permission_classes: ClassVar[Any] = [AllowAny]

    @extend_schema(request=TicketBody, responses={201: TicketAnswer})
    def post(self, request: Any) -> Response:
        """A single-use ticket, good for 30 s from the same origin."""
        values = self.valid(TicketBody)
        broadcast = self._broadcast(values["purpose"], values["broadcast"])
        ticket = create_ticket(
            broadcast=broadcast,
            purpose=values["purpose"],
            user=self.user if request.user.is_authenticated else None,
            origin=request.headers.get("Origin", ""),
            credential=credential_of(request.auth),
        )
        body = {
            "ticket": ticket,
            "expires_in": TICKET_LIFE_SECONDS,
            "broadcast": str(broadcast.pk),
            "ice_servers": list(ice_servers("viewer")),
        }
        return Response(body, status=201, headers={"Cache-Control": "no-store"})

    def _broadcast(self, purpose: str, target_id: UUID) -> Broadcast:
        if purpose == TicketPurpose.WATCH:
            return get_watchable_broadcast(self.request.user, target_id)
        if not self.request.user.is_authenticated:
            raise SignInRequiredError("Sign in to open the console.")
        return get_broadcast_for(self.user, target_id, "broadcast.view")


class ThumbnailView(Endpoint):
    """The newest picture of a broadcast."""

    permission_classes: ClassVar[Any] = [AllowAny]
    content_negotiation_class = OneKindOfAnswer

    @extend_schema(
        parameters=[
            OpenApiParameter(
                "empty",
                OpenApiTypes.BOOL,
                description="Answer 204 instead of 404 until the first picture has come.",
            )
        ],
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, 204: None},
    )
    def get(self, request: Any, broadcast_id: UUID) -> HttpResponse:
        """A small JPEG, at most 30 s old. 404 until the first has come; ask again."""
        if is_signed("thumbnail", broadcast_id, request.GET.get("signature", "")):
            broadcast = get_any_broadcast(broadcast_id)
        else:
            broadcast = get_watchable_broadcast(request.user, broadcast_id)
        jpeg = look_at_thumbnail(broadcast)
        if jpeg is None and request.GET.get("empty") != "true":
            raise NotFoundError("There is no picture yet. Ask again in a few seconds.")
        # Browsers log each 404 as an error; a page that keeps asking would fill their console.
        answer = HttpResponse(jpeg, content_type="image/jpeg") if jpeg else HttpResponse(status=204)
        answer["Cache-Control"] = "no-store"
        return answer


def _text(request: Any) -> str:
    # An empty body is parsed by nobody: the framework then gives an empty form instead of text.
    return request.data if isinstance(request.data, str) else ""
