"""The calendar of an organization: its secret address, and what calendar programs read there."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse, HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_organization_for
from accounts.endpoints import Endpoint, base_url
from livestudio.common.conditional import by_body
from livestudio.common.throttles import UserThrottle
from streams.models import CalendarAddress
from streams.services.calendar_address import (
    end_address,
    get_address,
    open_calendar,
    renew_address,
)
from streams.services.calendar_feed import calendar_text


class CalendarThrottle(UserThrottle):
    """By address, whoever reads it: calendar services fetch for many from a few machines."""

    def counted_by(self, request: Any) -> tuple[str, str]:
        token = request.GET.get("token", "")
        return "calendar", hashlib.sha256(token.encode(errors="replace")).hexdigest()


class CalendarAddressAnswer(serializers.ModelSerializer[CalendarAddress]):
    """created_by: null when that account is gone."""

    created_by = serializers.CharField(
        source="created_by.username", default=None, read_only=True, allow_null=True
    )

    class Meta:
        model = CalendarAddress
        fields = ("created_at", "created_by")
        read_only_fields = fields


class NewCalendarAddressAnswer(CalendarAddressAnswer):
    """url: for the calendar program; told this once."""

    url = serializers.SerializerMethodField()

    class Meta(CalendarAddressAnswer.Meta):
        fields = (*CalendarAddressAnswer.Meta.fields, "url")  # type: ignore[assignment]

    def get_url(self, row: CalendarAddress) -> str:
        path = reverse("calendar-file", args=[row.organization_id])
        return f"{base_url(self.context['request'])}{path}?token={self.context['token']}"


class CalendarAddressView(Endpoint):
    """The secret address, for who plans shows."""

    serializer_class = CalendarAddressAnswer
    answers_hold_secrets = True

    @extend_schema(responses={200: CalendarAddressAnswer})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """Who made the address, and when; 404 where there is none. The address itself is hashed."""
        found = get_organization_for(self.user, organization_id)
        address = get_address(organization=found, actor=self.user)
        return self.rendered(CalendarAddressAnswer, address)

    @extend_schema(request=None, responses={201: NewCalendarAddressAnswer})
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Make a new address; the one before opens nothing from now on."""
        found = get_organization_for(self.user, organization_id)
        address, token = renew_address(organization=found, actor=self.user)
        context = {**self.get_serializer_context(), "token": token}
        body = NewCalendarAddressAnswer(address, context=context).data
        return Response(body, status=201, headers={"Cache-Control": "no-store"})

    @extend_schema(responses={204: None})
    def delete(self, request: Request, organization_id: UUID) -> Response:
        """End the address: nobody can read the calendar until there is a new one."""
        found = get_organization_for(self.user, organization_id)
        end_address(organization=found, actor=self.user)
        return Response(status=204)


class CalendarFileView(Endpoint):
    """The calendar for a program, which cannot sign in: the address is secret."""

    authentication_classes = ()
    permission_classes: ClassVar[Any] = (AllowAny,)
    throttle_classes = (UserThrottle, CalendarThrottle)

    @extend_schema(
        parameters=[OpenApiParameter("token", OpenApiTypes.STR, required=True)],
        responses={(200, "text/calendar"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, organization_id: UUID) -> HttpResponseBase:
        """The airings of 60 days back and 90 ahead, one event each (RFC 5545)."""
        organization = open_calendar(organization_id, request.GET.get("token", ""))
        text = calendar_text(organization, base_url(request))
        answer = HttpResponse(text, content_type="text/calendar; charset=utf-8")
        answer["Content-Disposition"] = 'inline; filename="livestudio.ics"'
        return by_body(request, answer) or answer
