"""REST views of shows, their cues and planned airings."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.response import Response

from accounts.endpoints import Endpoint
from accounts.models import Organization
from accounts.roles import require_permission
from livestudio.common.errors import InvalidInputError
from livestudio.common.pagination import WholeList
from livestudio.common.parsers import LARGEST_BODY_BYTES
from streams.access import get_cue_for, get_show_for
from streams.api.answers import (
    BroadcastAnswer,
    CueAnswer,
    NextAiringAnswer,
    OccurrenceAnswer,
    ShowAnswer,
    base_url,
)
from streams.api.filters import CueFilter, ShowFilter
from streams.api.serializers import (
    CueOrderSerializer,
    CueSerializer,
    Json,
    SavedShowSerializer,
    ShowSerializer,
    WarningSerializer,
    overlay_fields,
)
from streams.messages import broadcast_json, cue_json, show_json
from streams.models import Show
from streams.selectors import list_shows, show_version
from streams.services import rundown, shows
from streams.services.clashes import warnings_of
from streams.services.lifecycle import start_broadcast
from streams.services.occurrences import list_next_airings, list_occurrences
from streams.services.schedule import WINDOW_MAX
from streams.services.shows import ShowDraft
from streams.verbs import EmptyBody

# No larger body reaches this: three million Chinese characters are a fortnight of speech.
RUNDOWN_MAX_BYTES = LARGEST_BODY_BYTES
_NESTED = ("cues", "outputs", "schedule", "overlays")


class _InOrganization(Endpoint):
    """Bodies may name rows of the organization the request is about."""

    about: Organization | None = None

    def get_serializer_context(self) -> Json:
        context: Json = super().get_serializer_context()
        return {**context, "organization": self.about}

    def show(self, show_id: UUID, permission: str) -> Show:
        """The show of the address; bodies belong to its organization from here on."""
        show = get_show_for(self.user, show_id, permission)
        self.about = show.organization
        return show


class ShowsView(_InOrganization):
    """Shows of the organization."""

    filterset_class = ShowFilter
    ordering_fields = ("created_at", "title")
    body_max_bytes = RUNDOWN_MAX_BYTES

    @extend_schema(responses=ShowSerializer(many=True))
    def get(self, request: Any) -> Response:
        """One page of shows, newest first."""
        require_permission(self.user, "show.view", self.organization)
        return self.page(ShowAnswer, list_shows(self.organization))

    @extend_schema(request=ShowSerializer, responses={201: SavedShowSerializer})
    def post(self, request: Any) -> Response:
        """Make a show, with its cues."""
        require_permission(self.user, "show.edit", self.organization)
        self.about = self.organization
        draft = _draft(self.valid(ShowSerializer))
        show = shows.create_show(organization=self.organization, draft=draft, actor=self.user)
        return Response(_saved(show), status=201)


class ShowView(_InOrganization):
    """One show."""

    body_max_bytes = RUNDOWN_MAX_BYTES

    def version(self, request: Any, **kwargs: Any) -> tuple[Any, ...]:
        return show_version(get_show_for(self.user, kwargs["show_id"], "show.view"))

    @extend_schema(responses=ShowSerializer)
    def get(self, request: Any, show_id: UUID) -> Response:
        return Response(show_json(self.show(show_id, "show.view")))

    @extend_schema(request=ShowSerializer(partial=True), responses=SavedShowSerializer)
    def patch(self, request: Any, show_id: UUID) -> Response:
        """Change what is given. Given cues replace the rundown; what is on air stays as it is."""
        show = self.show(show_id, "show.edit")
        draft = _draft(self.valid(ShowSerializer, partial=True))
        shows.update_show(show=show, draft=draft, actor=self.user)
        return Response(_saved(show))

    @extend_schema(responses={204: None})
    def delete(self, request: Any, show_id: UUID) -> Response:
        """Put the show away; transcripts and recordings of its broadcasts stay."""
        shows.archive_show(show=self.show(show_id, "show.edit"), actor=self.user)
        return Response(status=204)


class CuesView(_InOrganization):
    """The cues of a show, in order."""

    body_max_bytes = RUNDOWN_MAX_BYTES
    pagination_class = WholeList
    filterset_class = CueFilter

    @extend_schema(responses=CueSerializer(many=True))
    def get(self, request: Any, show_id: UUID) -> Response:
        show = self.show(show_id, "show.view")
        return self.page(CueAnswer, show.cues.all())

    @extend_schema(request=CueSerializer(many=True), responses={201: CueSerializer(many=True)})
    def post(self, request: Any, show_id: UUID) -> Response:
        """Append one cue, or a list of them: all or none."""
        show = self.show(show_id, "show.edit")
        many = isinstance(request.data, list)
        if many and not request.data:
            raise InvalidInputError("The list of cues is empty.")
        values = self.valid(CueSerializer, many=many)
        created = rundown.add_cues(show=show, cues=values if many else [values], actor=self.user)
        body = [cue_json(cue) for cue in created]
        return Response(body if many else body[0], status=201)


class CueView(_InOrganization):
    """One cue of a show."""

    @extend_schema(responses=CueSerializer)
    def get(self, request: Any, show_id: UUID, cue_id: UUID) -> Response:
        return Response(cue_json(get_cue_for(self.user, show_id, cue_id, "show.view")))

    @extend_schema(request=CueSerializer(partial=True), responses=CueSerializer)
    def patch(self, request: Any, show_id: UUID, cue_id: UUID) -> Response:
        """Change what is given; a broadcast that is on air keeps the cue as it was."""
        self.show(show_id, "show.edit")
        cue = get_cue_for(self.user, show_id, cue_id, "show.edit")
        values = self.valid(CueSerializer, partial=True)
        return Response(cue_json(rundown.update_cue(cue=cue, values=values, actor=self.user)))

    @extend_schema(responses={204: None})
    def delete(self, request: Any, show_id: UUID, cue_id: UUID) -> Response:
        cue = get_cue_for(self.user, show_id, cue_id, "show.edit")
        rundown.delete_cue(cue=cue, actor=self.user)
        return Response(status=204)


class RundownView(_InOrganization):
    """The order of the cues."""

    @extend_schema(request=CueOrderSerializer, responses=CueSerializer(many=True))
    def put(self, request: Any, show_id: UUID) -> Response:
        """Bring the cues into this order; every cue is named once."""
        show = self.show(show_id, "show.edit")
        order = self.valid(CueOrderSerializer)
        cues = rundown.reorder_cues(show=show, order=order, actor=self.user)
        return Response([cue_json(cue) for cue in cues])


class OccurrencesView(_InOrganization):
    """When the show airs."""

    pagination_class = WholeList
    other_parameters = ("from", "to")

    @extend_schema(
        parameters=[
            OpenApiParameter("from", OpenApiTypes.DATETIME),
            OpenApiParameter("to", OpenApiTypes.DATETIME),
        ],
        responses=OccurrenceAnswer(many=True),
    )
    def get(self, request: Any, show_id: UUID) -> Response:
        """Starts from `from` (default now) up to `to` (default 30 days later), missed ones too."""
        show = self.show(show_id, "show.view")
        self.filter_queryset(show.occurrences.none())
        since = _moment(request, "from") or timezone.now()
        until = _moment(request, "to") or since + timedelta(days=30)
        if until < since or until - since > WINDOW_MAX:
            message = f"`to` is after `from`, by at most {WINDOW_MAX.days} days."
            raise InvalidInputError.of("to", message)
        results = OccurrenceAnswer(list_occurrences(show, since, until), many=True).data
        return Response({"next": None, "previous": None, "results": results})


class AiringsView(_InOrganization):
    """What airs next."""

    pagination_class = WholeList

    @extend_schema(responses=NextAiringAnswer(many=True))
    def get(self, request: Any) -> Response:
        """Of each show its next airing, and the last one if it was missed and not made good."""
        require_permission(self.user, "show.view", self.organization)
        self.filter_queryset(list_shows(self.organization).none())
        rows = NextAiringAnswer(list_next_airings(self.organization, timezone.now()), many=True)
        return Response({"next": None, "previous": None, "results": rows.data})


class StartView(_InOrganization):
    """Put a show on air."""

    @extend_schema(request=EmptyBody, responses={201: BroadcastAnswer})
    def post(self, request: Any, show_id: UUID) -> Response:
        """Open a broadcast. 409 `already_live` while one of this show is on air."""
        show = self.show(show_id, "broadcast.start")
        broadcast = start_broadcast(show=show, actor=self.user)
        body = broadcast_json(broadcast, base_url=base_url(request), with_runner=True)
        return Response(body, status=201)


def _draft(values: Json) -> ShowDraft:
    fields = {name: value for name, value in values.items() if name not in _NESTED}
    fields |= overlay_fields(values.get("overlays", {}))
    return ShowDraft(
        values=fields,
        outputs=values.get("outputs"),
        cues=values.get("cues"),
        schedule=values.get("schedule"),
        has_schedule="schedule" in values,
    )


def _saved(show: Show) -> Json:
    """A show as it was saved, with what to look at in its plan."""
    fresh = list_shows(show.organization).get(pk=show.pk)
    return {**show_json(fresh), "warnings": WarningSerializer(warnings_of(fresh), many=True).data}


def _moment(request: Any, name: str) -> Any:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        # An unescaped `+` of a zone arrives as a blank.
        value = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        message = "Give a time with its zone, such as 2026-01-31T12:00:00Z."
        raise InvalidInputError.of(name, message)
    return value
