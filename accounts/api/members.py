"""Who works in an organization, for its owners."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_managed_organization, get_row
from accounts.api.filters import RoleFilter
from accounts.api.serializers import UserSerializer
from accounts.endpoints import Endpoint
from accounts.models import Membership
from accounts.roles import Role
from accounts.services import members


class MemberSerializer(serializers.ModelSerializer[Membership]):
    user = UserSerializer(read_only=True)

    class Meta:
        model = Membership
        fields = ("id", "user", "role", "created_at")


class RoleSerializer(serializers.Serializer[Any]):
    role = serializers.ChoiceField(choices=Role.choices)


class MembersView(Endpoint):
    serializer_class = MemberSerializer
    filterset_class = RoleFilter

    @extend_schema(responses={200: MemberSerializer(many=True)})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """The people of the organization. New ones are invited."""
        organization = get_managed_organization(self.user, organization_id)
        rows = Membership.objects.filter(organization=organization, user__is_machine=False)
        return self.page(MemberSerializer, rows.select_related("user"))


class MemberView(Endpoint):
    @extend_schema(request=RoleSerializer, responses={200: MemberSerializer})
    def patch(self, request: Request, organization_id: UUID, member_id: UUID) -> Response:
        """Give a member another role. An organization keeps at least one owner."""
        member = self._member(organization_id, member_id)
        role = self.valid(RoleSerializer)["role"]
        changed = members.change_role(membership=member, role=role, actor=self.user)
        return self.rendered(MemberSerializer, changed)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, organization_id: UUID, member_id: UUID) -> Response:
        """End a membership; the account stays."""
        member = self._member(organization_id, member_id)
        members.remove_member(membership=member, actor=self.user)
        return Response(status=204)

    def _member(self, organization_id: UUID, member_id: UUID) -> Membership:
        organization = get_managed_organization(self.user, organization_id)
        rows = Membership.objects.filter(organization=organization, user__is_machine=False)
        return get_row(rows.select_related("organization", "user"), member_id, "member")
