"""What an organization may use and has used, over REST."""

from __future__ import annotations

from datetime import date
from typing import Any, ClassVar, Final
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_managed_organization, get_organization_for
from accounts.endpoints import Endpoint
from accounts.models import Organization
from accounts.roles import require_permission
from livestudio.common.errors import InvalidInputError
from metering import selectors
from metering.meters import METERS
from metering.models import CLOSING_LINE_MAX_CHARACTERS, Closing, UsageEntry
from metering.services import plans
from metering.services.counting import today

CSV_MAX_ROWS: Final = 50_000
_NAMES: Final = tuple(METERS)
_DAYS: Final = [
    OpenApiParameter("from", OpenApiTypes.DATE, description="The first day."),
    OpenApiParameter("to", OpenApiTypes.DATE, description="The last day; today unless given."),
]


class MeterAnswer(serializers.Serializer[Any]):
    """limit, remaining null: not limited. period `now`: how many there are; `day`: since midnight.

    is_low: 80 % is used. is_reached: nothing is left.
    """

    meter = serializers.ChoiceField(choices=_NAMES)
    period = serializers.ChoiceField(choices=("now", "day"))
    limit = serializers.FloatField(allow_null=True)
    used = serializers.FloatField()
    reserved = serializers.FloatField()
    remaining = serializers.FloatField(allow_null=True)
    resets_at = serializers.DateTimeField(allow_null=True)
    is_low = serializers.BooleanField()
    is_reached = serializers.BooleanField()


class UsageDayAnswer(serializers.Serializer[Any]):
    """used: by meter; a meter that is not there was not used."""

    day = serializers.DateField()
    used = serializers.DictField(child=serializers.FloatField())


class UsageAnswer(serializers.Serializer[Any]):
    """timezone: in which the day begins. plan null: none, so nothing is limited."""

    plan = serializers.CharField(allow_null=True)
    timezone = serializers.CharField()
    to = serializers.DateField()
    meters = MeterAnswer(many=True)
    days = UsageDayAnswer(many=True)

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "from": serializers.DateField()}


class UsageEntryAnswer(serializers.Serializer[Any]):
    """broadcast null: used by what `holder` names. title: of the show, kept when it is gone."""

    id = serializers.UUIDField()
    day = serializers.DateField()
    broadcast = serializers.UUIDField(allow_null=True)
    holder = serializers.CharField()
    title = serializers.CharField()
    meter = serializers.ChoiceField(choices=_NAMES)
    used = serializers.FloatField()

    def to_representation(self, instance: UsageEntry) -> Any:
        return selectors.entry_json(instance)


class _UsageEndpoint(Endpoint):
    other_parameters = ("from", "to")

    def of_days(self, organization_id: UUID) -> tuple[Organization, date, date]:
        organization = get_organization_for(self.user, organization_id)
        require_permission(self.user, "organization.view", organization)
        now = today(organization.pk, timezone.now())
        return organization, *selectors.parse_days(self.request.query_params, now)

    def entries(self, organization_id: UUID) -> QuerySet[UsageEntry]:
        organization, since, until = self.of_days(organization_id)
        return selectors.list_entries(organization.pk, since, until)


class UsageView(_UsageEndpoint):
    serializer_class = UsageAnswer
    pagination_class: ClassVar[Any] = None

    @extend_schema(parameters=_DAYS, responses={200: UsageAnswer})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """The meters as they stand now, and what was used each day: of 30 days unless asked."""
        organization, since, until = self.of_days(organization_id)
        return Response(selectors.usage_json(organization.pk, since, until, timezone.now()))


class UsageBroadcastsView(_UsageEndpoint):
    serializer_class = UsageEntryAnswer

    @extend_schema(parameters=_DAYS, responses={200: UsageEntryAnswer(many=True)})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """What each broadcast used on each day, newest first."""
        return self.page(UsageEntryAnswer, self.entries(organization_id))


class UsageTableView(_UsageEndpoint):
    pagination_class: ClassVar[Any] = None

    @extend_schema(parameters=_DAYS, responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, organization_id: UUID) -> HttpResponse:
        """What each broadcast used on each day, as a table for spreadsheets."""
        rows = self.entries(organization_id).order_by("day", "holder", "meter")
        found = list(rows[: CSV_MAX_ROWS + 1])
        if len(found) > CSV_MAX_ROWS:
            message = f"These days have more than {CSV_MAX_ROWS} rows. Ask for fewer days."
            raise InvalidInputError.of("from", message)
        text = selectors.usage_csv(found)
        answer = HttpResponse(text, content_type="text/csv; charset=utf-8")
        answer["Content-Disposition"] = 'attachment; filename="usage.csv"'
        answer["Cache-Control"] = "no-store"
        return answer


class QuotaAnswer(serializers.Serializer[Any]):
    """plan null: none, so nothing is limited. Empty closing lines: the built-in ones are said."""

    plan = serializers.CharField(allow_null=True, read_only=True)
    timezone = serializers.CharField(
        max_length=64, help_text="Where its day begins, such as `Asia/Shanghai`."
    )
    closing = serializers.ChoiceField(
        choices=Closing.choices, help_text="How a show ends when its minutes run out."
    )
    closing_line_zh = serializers.CharField(
        max_length=CLOSING_LINE_MAX_CHARACTERS, allow_blank=True
    )
    closing_line_en = serializers.CharField(
        max_length=CLOSING_LINE_MAX_CHARACTERS, allow_blank=True
    )


class QuotaView(Endpoint):
    serializer_class = QuotaAnswer

    @extend_schema(responses={200: QuotaAnswer})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """The plan, when the organization's day begins, and how its shows end."""
        organization = get_organization_for(self.user, organization_id)
        require_permission(self.user, "organization.view", organization)
        return Response(selectors.quota_json(organization.pk))

    @extend_schema(request=QuotaAnswer(partial=True), responses={200: QuotaAnswer})
    def patch(self, request: Request, organization_id: UUID) -> Response:
        """Change what is given; the plan is set by the administrators of the site."""
        organization = get_managed_organization(self.user, organization_id)
        values = self.valid(QuotaAnswer, partial=True)
        plans.set_closing(organization=organization, values=values, actor=self.user)
        return Response(selectors.quota_json(organization.pk))
