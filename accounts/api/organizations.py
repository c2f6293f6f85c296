"""An organization as a whole: its name, who owns it, its export and its end."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.http import FileResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny, IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import (
    get_any_export,
    get_managed_organization,
    get_membership,
    get_organization_for,
    get_row,
)
from accounts.api.two_factor import PasswordSerializer, PersonEndpoint
from accounts.endpoints import Endpoint, base_url
from accounts.models import Membership, Organization, OrganizationExport
from accounts.services import exports, organizations, two_factor
from livestudio.common.errors import NotFoundError
from livestudio.common.signed_links import is_signed, signature_of
from livestudio.common.throttles import UserThrottle


class OrganizationAnswer(serializers.ModelSerializer[Organization]):
    """delete_after: when it is deleted with all it has, unless an owner restores it before."""

    class Meta:
        model = Organization
        fields = ("id", "name", "created_at", "delete_after")
        read_only_fields = fields


class OrganizationNameSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)


class SureSerializer(PasswordSerializer):
    """The password again; code: where two-factor sign-in is on."""

    code = serializers.CharField(required=False, allow_blank=True, max_length=20, default="")


class TransferSerializer(SureSerializer):
    member = serializers.UUIDField(help_text="The id of a membership, of `members/`.")


class DeletionSerializer(SureSerializer):
    """name: of the organization, as it is written. without_export: nobody needs a copy."""

    name = serializers.CharField(max_length=100)
    without_export = serializers.BooleanField(required=False, default=False)


class ExportRequestSerializer(serializers.Serializer[Any]):
    with_recordings = serializers.BooleanField(required=False, default=False)


class ExportAnswer(serializers.ModelSerializer[OrganizationExport]):
    """file_url: signed, good for 12 to 24 hours; null until it is ready."""

    file_url = serializers.SerializerMethodField()
    requested_by = serializers.CharField(
        source="requested_by.username", default=None, read_only=True, allow_null=True
    )

    class Meta:
        model = OrganizationExport
        fields = (
            "id", "state", "with_recordings", "requested_by", "created_at", "ready_at",
            "size_bytes", "failure_reason", "file_url",
        )  # fmt: skip
        read_only_fields = fields

    def get_file_url(self, export: OrganizationExport) -> str | None:
        if export.state != OrganizationExport.State.READY:
            return None
        return export_url(export, base_url(self.context["request"]))


def export_url(export: OrganizationExport, site: str) -> str:
    """The signed address of the ZIP."""
    path = reverse("export-file", args=[export.organization_id, export.pk])
    return f"{site}{path}?signature={signature_of('export', export.pk)}"


class SureEndpoint(PersonEndpoint):
    """What takes the password again, and a code where two-factor sign-in is on."""

    answers_hold_secrets = False

    def require_sure(self, body: dict[str, Any]) -> None:
        """Raises CredentialsInvalidError, SecondFactorRequiredError (401) and their like."""
        self.require_password(body["password"])
        two_factor.require_code(user=self.user, code=body["code"])


class OrganizationsView(PersonEndpoint):
    answers_hold_secrets = False

    @extend_schema(request=OrganizationNameSerializer, responses={201: OrganizationAnswer})
    def post(self, request: Request) -> Response:
        """Open one more organization, which you own. Where registration is open."""
        name = self.valid(OrganizationNameSerializer)["name"]
        made = organizations.open_organization(name=name, actor=self.user)
        return self.rendered(OrganizationAnswer, made, status=201)


class OrganizationView(SureEndpoint):
    permission_classes = (IsAuthenticated,)  # keys may read the name
    throttle_classes = (UserThrottle,)  # passwords have their own lock

    @extend_schema(responses={200: OrganizationAnswer})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """One of your organizations."""
        found = get_organization_for(self.user, organization_id)
        return self.rendered(OrganizationAnswer, found)

    @extend_schema(request=OrganizationNameSerializer, responses={200: OrganizationAnswer})
    def patch(self, request: Request, organization_id: UUID) -> Response:
        """Give it another name."""
        found = get_managed_organization(self.user, organization_id)
        name = self.valid(OrganizationNameSerializer)["name"]
        organizations.rename_organization(organization=found, name=name, actor=self.user)
        return self.rendered(OrganizationAnswer, found)

    @extend_schema(request=DeletionSerializer, responses={202: OrganizationAnswer})
    def delete(self, request: Request, organization_id: UUID) -> Response:
        """Delete it with every row and file, seven days from now; `restore/` takes that back.

        409 `organization_on_air` while something is on air, `export_required` without an export of
        the last 24 hours (or `without_export`).
        """
        found = get_managed_organization(self.user, organization_id)
        body = self.valid(DeletionSerializer)
        self.require_sure(body)
        organizations.request_deletion(
            organization=found,
            name=body["name"],
            without_export=body["without_export"],
            actor=self.user,
        )
        return self.rendered(OrganizationAnswer, found, status=202)


class OrganizationRestoreView(PersonEndpoint):
    answers_hold_secrets = False

    @extend_schema(request=None, responses={200: OrganizationAnswer})
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Take its deletion back."""
        found = get_managed_organization(self.user, organization_id)
        organizations.restore_organization(organization=found, actor=self.user)
        return self.rendered(OrganizationAnswer, found)


class OrganizationLeaveView(PersonEndpoint):
    answers_hold_secrets = False

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request, organization_id: UUID) -> Response:
        """End your membership. The last owner stays: hand the organization over first."""
        found = get_organization_for(self.user, organization_id)
        organizations.leave_organization(membership=get_membership(self.user, found))
        return Response(status=204)


class OrganizationTransferView(SureEndpoint):
    @extend_schema(request=TransferSerializer, responses={204: None})
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Make a member the owner in your place; you stay as a producer."""
        found = get_managed_organization(self.user, organization_id)
        body = self.valid(TransferSerializer)
        self.require_sure(body)
        rows = Membership.objects.filter(organization=found).select_related("user")
        member = get_row(rows, body["member"], "member")
        organizations.transfer_organization(organization=found, member=member, actor=self.user)
        return Response(status=204)


class ExportsView(Endpoint):
    serializer_class = ExportAnswer

    @extend_schema(responses={200: ExportAnswer(many=True)})
    def get(self, request: Request, organization_id: UUID) -> Response:
        """The exports of the last week, newest first."""
        found = get_managed_organization(self.user, organization_id)
        rows = OrganizationExport.objects.for_organization(found).select_related("requested_by")
        return self.page(ExportAnswer, rows)

    @extend_schema(request=ExportRequestSerializer, responses={202: ExportAnswer})
    def post(self, request: Request, organization_id: UUID) -> Response:
        """Ask for a ZIP of every row (without secrets) and file; `GET` tells when it is ready."""
        found = get_managed_organization(self.user, organization_id)
        with_recordings = self.valid(ExportRequestSerializer)["with_recordings"]
        export = exports.request_export(
            organization=found, with_recordings=with_recordings, actor=self.user
        )
        return self.rendered(ExportAnswer, export, status=202)


class ExportFileView(Endpoint):
    """The ZIP for a link, which cannot sign in: the address is signed."""

    authentication_classes = ()
    permission_classes: ClassVar[Any] = (AllowAny,)

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request: Request, organization_id: UUID, export_id: UUID) -> FileResponse:
        """The ZIP, for a week."""
        if not is_signed("export", export_id, request.GET.get("signature", "")):
            raise NotFoundError
        path = exports.export_file(get_any_export(organization_id, export_id))
        answer = FileResponse(
            path.open("rb"), as_attachment=True, filename="export.zip",
            content_type="application/zip",
        )  # fmt: skip
        answer["Cache-Control"] = "no-store"
        return answer
