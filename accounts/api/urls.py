"""Addresses of sign-in, below /api/v1/."""

from __future__ import annotations

from django.urls import path

from accounts.api import (
    audit,
    consents,
    invitations,
    keys,
    mailed,
    members,
    organizations,
    two_factor,
    views,
)

urlpatterns = [
    path("auth/options/", views.OptionsView.as_view(), name="auth-options"),
    path("auth/register/", views.RegisterView.as_view(), name="register"),
    path("auth/token/", views.TokenView.as_view(), name="token"),
    path("auth/token/refresh/", views.RefreshView.as_view(), name="token-refresh"),
    path("auth/logout/", views.LogoutView.as_view(), name="logout"),
    path("auth/devices/", views.DevicesView.as_view(), name="devices"),
    path("auth/devices/<str:device_id>/", views.DeviceView.as_view(), name="device"),
    path("auth/password/", views.PasswordChangeView.as_view(), name="password"),
    path("auth/password/reset/", mailed.PasswordResetView.as_view(), name="password-reset"),
    path(
        "auth/password/reset/confirm/",
        mailed.PasswordResetConfirmView.as_view(),
        name="password-reset-confirm",
    ),
    path("auth/email/verify/", mailed.VerifyEmailView.as_view(), name="email-verify"),
    path("auth/email/resend/", mailed.ResendVerificationView.as_view(), name="email-resend"),
    path("auth/invitation/", invitations.InvitationLookView.as_view(), name="invitation-look"),
    path(
        "auth/invitation/accept/",
        invitations.InvitationAcceptView.as_view(),
        name="invitation-accept",
    ),
    path(
        "organizations/<uuid:organization_id>/invitations/",
        invitations.InvitationsView.as_view(),
        name="invitations",
    ),
    path(
        "organizations/<uuid:organization_id>/invitations/<uuid:invitation_id>/",
        invitations.InvitationView.as_view(),
        name="organization-invitation",
    ),
    path("auth/totp/", two_factor.TotpView.as_view(), name="totp"),
    path("auth/totp/confirm/", two_factor.TotpConfirmView.as_view(), name="totp-confirm"),
    path("auth/totp/off/", two_factor.TotpOffView.as_view(), name="totp-off"),
    path(
        "auth/totp/recovery-codes/",
        two_factor.RecoveryCodesView.as_view(),
        name="totp-recovery-codes",
    ),
    path(
        "organizations/<uuid:organization_id>/members/",
        members.MembersView.as_view(),
        name="members",
    ),
    path(
        "organizations/<uuid:organization_id>/members/<uuid:member_id>/",
        members.MemberView.as_view(),
        name="member",
    ),
    path(
        "organizations/<uuid:organization_id>/api-keys/",
        keys.ApiKeysView.as_view(),
        name="api-keys",
    ),
    path(
        "organizations/<uuid:organization_id>/api-keys/<uuid:key_id>/",
        keys.ApiKeyView.as_view(),
        name="api-key",
    ),
    path("organizations/<uuid:organization_id>/audit/", audit.AuditView.as_view(), name="audit"),
    path(
        "organizations/<uuid:organization_id>/audit/csv/",
        audit.AuditTableView.as_view(),
        name="audit-csv",
    ),
    path("organizations/", organizations.OrganizationsView.as_view(), name="organizations"),
    path(
        "organizations/<uuid:organization_id>/",
        organizations.OrganizationView.as_view(),
        name="organization",
    ),
    path(
        "organizations/<uuid:organization_id>/restore/",
        organizations.OrganizationRestoreView.as_view(),
        name="organization-restore",
    ),
    path(
        "organizations/<uuid:organization_id>/leave/",
        organizations.OrganizationLeaveView.as_view(),
        name="organization-leave",
    ),
    path(
        "organizations/<uuid:organization_id>/transfer/",
        organizations.OrganizationTransferView.as_view(),
        name="organization-transfer",
    ),
    path(
        "organizations/<uuid:organization_id>/export/",
        organizations.ExportsView.as_view(),
        name="exports",
    ),
    path(
        "organizations/<uuid:organization_id>/export/<uuid:export_id>/file/",
        organizations.ExportFileView.as_view(),
        name="export-file",
    ),
    path("consents/", consents.ConsentsView.as_view(), name="consents"),
    path("consents/<uuid:consent_id>/", consents.ConsentView.as_view(), name="consent"),
    path(
        "consents/<uuid:consent_id>/revoke/",
        consents.ConsentRevokeView.as_view(),
        name="consent-revoke",
    ),
    path(
        "consents/<uuid:consent_id>/document/",
        consents.ConsentDocumentView.as_view(),
        name="consent-document",
    ),
    path(
        "consents/<uuid:consent_id>/file/", consents.ConsentFileView.as_view(), name="consent-file"
    ),
    path("me/", views.MeView.as_view(), name="me"),
]
