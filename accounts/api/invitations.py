"""Invitations: made and revoked by owners, looked at and accepted by who has the link."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_managed_organization, get_row
from accounts.api.base import PublicEndpoint
from accounts.api.filters import RoleFilter
from accounts.api.mailed import TokenOfLinkSerializer
from accounts.api.serializers import MembershipSerializer
from accounts.authentication import IsPerson
from accounts.endpoints import Endpoint, base_url
from accounts.models import Invitation
from accounts.roles import Role
from accounts.services import invitations
from livestudio.common.throttles import SignInThrottle


class InvitationSerializer(serializers.ModelSerializer[Invitation]):
    invited_by = serializers.CharField(
        source="invited_by.username", default=None, read_only=True, allow_null=True
    )

    class Meta:
        model = Invitation
        fields = ("id", "email", "role", "invited_by", "created_at", "expires_at")


class NewInvitationSerializer(InvitationSerializer):
    """url: the link, to be passed on by hand; null where it went by mail."""

    url = serializers.SerializerMethodField()

    class Meta(InvitationSerializer.Meta):
        fields = (*InvitationSerializer.Meta.fields, "url")  # type: ignore[assignment]

    def get_url(self, row: Invitation) -> str | None:
        link: str | None = self.context["link"]
        return link


class InvitationWriteSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField()
    role = serializers.ChoiceField(choices=Role.choices, default=Role.VIEWER)


class InvitationLookSerializer(InvitationSerializer):
    organization = serializers.CharField(source="organization.name", read_only=True)

    class Meta(InvitationSerializer.Meta):
        fields = ("organization", "role", "email", "invited_by", "expires_at")  # type: ignore[assignment]


class InvitationsView(Endpoint):
    serializer_class = InvitationSerializer
    filterset_class = RoleFilter
    answers_hold_secrets = True

    @extend_schema(responses={200: InvitationSerializer(many=True)})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """The invitations that can still be accepted."""
        organization = get_managed_organization(self.user, organization_id)
        rows = Invitation.objects.for_organization(organization).open()
        return self.page(InvitationSerializer, rows.select_related("invited_by"))

    @extend_schema(request=InvitationWriteSerializer, responses={201: NewInvitationSerializer})
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Invite somebody; the link goes to them by mail, good for seven days."""
        organization = get_managed_organization(self.user, organization_id)
        body = self.valid(InvitationWriteSerializer)
        invitation, link = invitations.invite(
            organization=organization,
            email=body["email"],
            role=body["role"],
            actor=self.user,
            base_url=base_url(request),
        )
        shown = None if settings.MAIL == "sent" else link
        context = {**self.get_serializer_context(), "link": shown}
        return Response(NewInvitationSerializer(invitation, context=context).data, status=201)


class InvitationView(Endpoint):
    @extend_schema(responses={204: None})
    def delete(self, request: Request, organization_id: UUID, invitation_id: UUID) -> Response:
        """Revoke an invitation: its link opens nothing from now on."""
        organization = get_managed_organization(self.user, organization_id)
        rows = Invitation.objects.for_organization(organization).open()
        invitation = get_row(rows.select_related("organization"), invitation_id, "invitation")
        invitations.revoke_invitation(invitation=invitation, actor=self.user)
        return Response(status=204)


class InvitationLookView(PublicEndpoint):
    @extend_schema(request=TokenOfLinkSerializer, responses={200: InvitationLookSerializer})
    def post(self, request: Request) -> Response:
        """Who invites whom where, for the page that the link opens."""
        token = self.valid(TokenOfLinkSerializer)["token"]
        return self.rendered(InvitationLookSerializer, invitations.find_invitation(token))


class InvitationAcceptView(Endpoint):
    permission_classes = (IsPerson,)
    throttle_classes = (SignInThrottle,)

    @extend_schema(request=TokenOfLinkSerializer, responses={200: MembershipSerializer})
    def post(self, request: Request) -> Response:
        """Join with the account that is signed in. New accounts: `invitation` at auth/register/."""
        token = self.valid(TokenOfLinkSerializer)["token"]
        return self.rendered(MembershipSerializer, invitations.accept(token=token, user=self.user))
