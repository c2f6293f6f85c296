"""Consents of the people whose faces and voices an organization uses."""

from __future__ import annotations

from typing import Any, ClassVar, Final
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.access import get_any_consent, get_consent_for
from accounts.documents import CONTENT_TYPES, DOCUMENT_MAX_BYTES, too_heavy
from accounts.endpoints import Endpoint, base_url
from accounts.models import Consent, Organization
from accounts.roles import has_permission, require_permission
from accounts.services import consents
from livestudio.common.errors import NotFoundError
from livestudio.common.signed_links import is_signed

VIEW: Final = "organization.view"
MANAGE: Final = "organization.manage"


class ConsentSerializer(serializers.ModelSerializer[Consent]):
    """document_url: signed, good for 12 to 24 hours, for owners; null where there is none."""

    document_url = serializers.SerializerMethodField()
    has_document = serializers.SerializerMethodField()
    shows = serializers.ListField(child=serializers.UUIDField(), read_only=True)

    class Meta:
        model = Consent
        fields = (
            "id", "subject", "scope", "shows", "is_commercial", "territory", "expires_at",
            "revoked_at", "revoke_reason", "has_document", "document_sha256", "document_url",
            "created_at",
        )  # fmt: skip
        read_only_fields = fields

    def get_has_document(self, consent: Consent) -> bool:
        return bool(consent.document)

    def get_document_url(self, consent: Consent) -> str | None:
        if not consent.document or not self._may_manage(consent.organization):
            return None
        return base_url(self.context["request"]) + consents.document_url(consent)

    def _may_manage(self, organization: Organization) -> bool:
        """Asked once for all rows of an answer."""
        known: dict[UUID, bool] = self.context.setdefault("may_manage", {})
        if organization.pk not in known:
            user = self.context["request"].user
            known[organization.pk] = has_permission(user, MANAGE, organization)
        return known[organization.pk]


class ConsentWriteSerializer(serializers.Serializer[Any]):
    """shows: ids; empty = every show of the organization. territory: empty = everywhere."""

    subject = serializers.CharField(max_length=200)
    scope = serializers.ChoiceField(choices=Consent.Scope.choices)
    shows = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=200)
    is_commercial = serializers.BooleanField(required=False)
    territory = serializers.CharField(required=False, allow_blank=True, max_length=200)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)


class RevokeSerializer(serializers.Serializer[Any]):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=300, default="")


class DocumentSerializer(serializers.Serializer[Any]):
    """A form (multipart/form-data) with the file: PDF, PNG or JPEG by what is in it."""

    file = serializers.FileField(max_length=255)


class ConsentsView(Endpoint):
    serializer_class = ConsentSerializer

    @extend_schema(responses={200: ConsentSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """The consents on record, the revoked ones too."""
        require_permission(self.user, VIEW, self.organization)
        rows = Consent.objects.for_organization(self.organization).select_related("organization")
        return self.page(ConsentSerializer, rows)

    @extend_schema(request=ConsentWriteSerializer, responses={201: ConsentSerializer})
    def post(self, request: Request) -> Response:
        """Put one on record; its document is uploaded afterwards."""
        require_permission(self.user, MANAGE, self.organization)
        consent = consents.create_consent(
            organization=self.organization,
            values=self.valid(ConsentWriteSerializer),
            actor=self.user,
        )
        return self.rendered(ConsentSerializer, consent, status=201)


class ConsentView(Endpoint):
    @extend_schema(responses={200: ConsentSerializer})
    def get(self, request: Request, consent_id: UUID) -> Response:
        """One consent."""
        return self.rendered(ConsentSerializer, get_consent_for(self.user, consent_id, VIEW))

    @extend_schema(request=ConsentWriteSerializer, responses={200: ConsentSerializer})
    def patch(self, request: Request, consent_id: UUID) -> Response:
        """Change what it is good for; person and scope stay."""
        consent = get_consent_for(self.user, consent_id, MANAGE)
        values = self.valid(ConsentWriteSerializer, partial=True)
        consent = consents.update_consent(consent=consent, values=values, actor=self.user)
        return self.rendered(ConsentSerializer, consent)


class ConsentRevokeView(Endpoint):
    @extend_schema(request=RevokeSerializer, responses={200: ConsentSerializer})
    def post(self, request: Request, consent_id: UUID) -> Response:
        """End it for ever. Broadcasts that show or sound like this person end within 10 s."""
        consent = get_consent_for(self.user, consent_id, MANAGE)
        reason = self.valid(RevokeSerializer)["reason"]
        consent = consents.revoke_consent(consent=consent, reason=reason, actor=self.user)
        return self.rendered(ConsentSerializer, consent)


class ConsentDocumentView(Endpoint):
    parser_classes: ClassVar[Any] = [MultiPartParser]

    @extend_schema(request=DocumentSerializer, responses={200: ConsentSerializer})
    def post(self, request: Request, consent_id: UUID) -> Response:
        """Upload what the person has signed, at most 10 MB; it takes the place of an older one."""
        consent = get_consent_for(self.user, consent_id, MANAGE)
        if int(request.META.get("CONTENT_LENGTH") or 0) > DOCUMENT_MAX_BYTES + 64 * 1024:
            raise too_heavy()
        upload = self.valid(DocumentSerializer)["file"]
        consent = consents.attach_document(consent=consent, upload=upload, actor=self.user)
        return self.rendered(ConsentSerializer, consent)


class ConsentFileView(Endpoint):
    """The document for a link, which cannot sign in: the address is signed."""

    authentication_classes = ()
    permission_classes: ClassVar[Any] = (AllowAny,)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, consent_id: UUID) -> HttpResponse:
        """The file as it was uploaded, to be saved: browsers do not open it here."""
        if not is_signed("consent", consent_id, request.GET.get("signature", "")):
            raise NotFoundError
        consent = get_any_consent(consent_id)
        content = consents.read_file(consent)
        kind = str(consent.document.name).rpartition(".")[2]
        answer = HttpResponse(content, content_type=CONTENT_TYPES[kind])
        answer["Content-Disposition"] = f'attachment; filename="consent.{kind}"'
        answer["Cache-Control"] = "no-store"
        return answer
