"""REST views of broadcasts: what is on air, and every verb that steers it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.response import Response

from accounts.endpoints import Endpoint
from accounts.roles import has_permission, require_permission
from livestudio.common.pagination import WholeList
from streams import verbs
from streams.access import get_broadcast_for, get_broadcast_output_for
from streams.api.answers import (
    BroadcastAnswer,
    BroadcastOutputAnswer,
    EventAnswer,
    InterruptAnswer,
    MetricAnswer,
    RecordingAnswer,
    SayAnswer,
    UtteranceAnswer,
    base_url,
)
from streams.api.filters import (
    BroadcastFilter,
    EventFilter,
    MetricFilter,
    RecordingFilter,
    UtteranceFilter,
)
from streams.messages import broadcast_json, broadcast_output_json, moment
from streams.selectors import list_broadcasts
from streams.services.outputs import replace_key, start_output, stop_output


class BroadcastsView(Endpoint):
    """Airings of the organization."""

    filterset_class = BroadcastFilter
    ordering_fields = ("created_at", "started_at")
    ordering_columns: ClassVar[dict[str, str]] = {"started_at": "started_or_created_at"}

    @extend_schema(responses=BroadcastAnswer(many=True))
    def get(self, request: Any) -> Response:
        """One page, newest first. `?state=live,starting` and `?show=` narrow it."""
        require_permission(self.user, "broadcast.view", self.organization)
        rows = self.filter_queryset(list_broadcasts(self.organization))
        is_operator = has_permission(self.user, "broadcast.steer", self.organization)
        page = self.paginate_queryset(rows) or []
        return self.get_paginated_response(
            [
                broadcast_json(row, base_url=base_url(request), with_runner=is_operator)
                for row in page
            ]
        )


class BroadcastView(Endpoint):
    """One airing."""

    @extend_schema(responses=BroadcastAnswer)
    def get(self, request: Any, broadcast_id: UUID) -> Response:
        broadcast = get_broadcast_for(self.user, broadcast_id, "broadcast.view")
        is_operator = has_permission(self.user, "broadcast.steer", broadcast.organization)
        body = broadcast_json(broadcast, base_url=base_url(request), with_runner=is_operator)
        return Response(body)


class VerbView(Endpoint):
    """A verb of `streams.verbs` as POST. Each subclass names its verb."""

    verb: ClassVar[str]
    status: ClassVar[int] = 202

    def post(self, request: Any, broadcast_id: UUID) -> Response:
        """Do it: 202 as soon as the order is written."""
        permission = verbs.VERBS[self.verb].permission
        broadcast = get_broadcast_for(self.user, broadcast_id, permission)
        data = verbs.perform_and_wait(
            self.verb,
            broadcast=broadcast,
            body=request.data,
            actor=self.user,
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        return Response(data, status=self.status)


def make_verb_view(name: str, answer: type[serializers.Serializer[Any]] | None = None) -> Any:
    """The view class of one verb; answer: the shape of what it tells, for the schema."""
    body = verbs.VERBS[name].body
    view = type(f"{name.title().replace('_', '')}View", (VerbView,), {"verb": name})
    documented = extend_schema(
        operation_id=f"broadcast_{name}", request=body, responses={202: answer or verbs.EmptyBody}
    )
    # Of the class, not of `VerbView.post`: that one method would carry the last verb's schema.
    view = extend_schema_view(post=documented)(view)
    return view


VERB_VIEWS: dict[str, Any] = {
    "stop": make_verb_view("stop"),
    "say": make_verb_view("say", SayAnswer),
    "interrupt": make_verb_view("interrupt", InterruptAnswer),
    "pause": make_verb_view("pause"),
    "resume": make_verb_view("resume"),
    "skip": make_verb_view("skip"),
    "take": make_verb_view("take"),
    "expression": make_verb_view("expression"),
    "gesture": make_verb_view("gesture"),
    "clip": make_verb_view("clip"),
    "record": make_verb_view("record"),
}


class BroadcastOutputsView(Endpoint):
    """The outputs of an airing."""

    pagination_class = WholeList

    @extend_schema(responses=BroadcastOutputAnswer(many=True))
    def get(self, request: Any, broadcast_id: UUID) -> Response:
        broadcast = get_broadcast_for(self.user, broadcast_id, "broadcast.view")
        return self.page(BroadcastOutputAnswer, broadcast.outputs.all())

    @extend_schema(request=verbs.AddOutputBody, responses={201: BroadcastOutputAnswer})
    def post(self, request: Any, broadcast_id: UUID) -> Response:
        """Add a destination on air."""
        broadcast = get_broadcast_for(self.user, broadcast_id, "broadcast.steer")
        answer = verbs.perform(
            "output_add",
            broadcast=broadcast,
            body=request.data,
            actor=self.user,
            idempotency_key=request.headers.get("Idempotency-Key"),
        )
        row = broadcast.outputs.get(pk=answer.data["id"])
        return Response(broadcast_output_json(row), status=201)


class StartOutputView(Endpoint):
    """Let an output try again."""

    @extend_schema(request=verbs.EmptyBody, responses={202: verbs.EmptyBody})
    def post(self, request: Any, broadcast_id: UUID, output_id: UUID) -> Response:
        row = get_broadcast_output_for(self.user, broadcast_id, output_id, "broadcast.steer")
        start_output(row=row, actor=self.user)
        return Response({}, status=202)


class StopOutputView(Endpoint):
    """End one output."""

    @extend_schema(request=verbs.EmptyBody, responses={202: verbs.EmptyBody})
    def post(self, request: Any, broadcast_id: UUID, output_id: UUID) -> Response:
        row = get_broadcast_output_for(self.user, broadcast_id, output_id, "broadcast.steer")
        stop_output(row=row, actor=self.user)
        return Response({}, status=202)


class ReplaceKeyView(Endpoint):
    """Today's key of an output."""

    @extend_schema(request=verbs.StreamKeyBody, responses={202: verbs.EmptyBody})
    def post(self, request: Any, broadcast_id: UUID, output_id: UUID) -> Response:
        """Use this key in this airing; an output that waited for it goes live."""
        permission = "broadcast.replace_key"
        row = get_broadcast_output_for(self.user, broadcast_id, output_id, permission)
        key = self.valid(verbs.StreamKeyBody)["stream_key"]
        replace_key(row=row, stream_key=key, actor=self.user)
        return Response({}, status=202)


class UtterancesView(Endpoint):
    """The transcript."""

    filterset_class = UtteranceFilter

    @extend_schema(responses=UtteranceAnswer(many=True))
    def get(self, request: Any, broadcast_id: UUID) -> Response:
        """One page, newest first."""
        broadcast = get_broadcast_for(self.user, broadcast_id, "broadcast.view")
        return self.page(UtteranceAnswer, broadcast.utterances.all())


class EventsView(Endpoint):
    """What the runner told."""

    filterset_class = EventFilter
    ordering_fields = ("sequence",)
    ordering = ("-sequence", "-id")

    @extend_schema(responses=EventAnswer(many=True))
    def get(self, request: Any, broadcast_id: UUID) -> Response:
        """One page, newest first; `?after_sequence=` leaves out what is known."""
        broadcast = get_broadcast_for(self.user, broadcast_id, "broadcast.view")
        return self.page(EventAnswer, broadcast.events.all())


class MetricsView(Endpoint):
    """Numbers of an airing."""

    filterset_class = MetricFilter
    ordering_fields = ("at",)
    ordering = ("-at", "-id")

    @extend_schema(responses=MetricAnswer(many=True))
    def get(self, request: Any, broadcast_id: UUID) -> Response:
        """`latest`, and one page of samples over time, newest first."""
        broadcast = get_broadcast_for(self.user, broadcast_id, "broadcast.view")
        page = self.paginate_queryset(self.filter_queryset(broadcast.samples.all())) or []
        samples = [{"at": moment(row.at), "values": row.values} for row in page]
        answer = self.get_paginated_response(samples)
        answer.data = {"latest": broadcast.metrics or None, **answer.data}
        return answer


class RecordingsView(Endpoint):
    """Files made of an airing."""

    filterset_class = RecordingFilter

    @extend_schema(responses=RecordingAnswer(many=True))
    def get(self, request: Any, broadcast_id: UUID) -> Response:
        """One page, newest first."""
        broadcast = get_broadcast_for(self.user, broadcast_id, "recording.view")
        return self.page(RecordingAnswer, broadcast.recordings.all())
