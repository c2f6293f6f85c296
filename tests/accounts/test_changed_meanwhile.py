"""Two people change one row at the same moment: neither takes back what the other has done.

A row that was read before somebody else's change stands for a request that was under way.
"""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.errors import ConsentRevokedError
from accounts.models import Consent, Membership
from accounts.roles import Role
from accounts.services import consents, members, organizations
from livestudio.common.errors import NotFoundError
from metering.models import OrganizationQuota, Plan
from metering.services.plans import quota_of, set_closing
from tests.accounts.test_consents import PDF, make_consent
from tests.factories import Cast, add_member

pytestmark = [pytest.mark.django_db, pytest.mark.database]


def revoked_meanwhile(cast: Cast) -> Consent:
    """A consent as a request has read it, which was revoked since."""
    read = make_consent(cast)
    consents.revoke_consent(
        consent=Consent.objects.get(pk=read.pk), reason="Asked to", actor=cast.alice
    )
    return read


def test_change_of_a_consent_does_not_take_its_revocation_back(cast: Cast) -> None:
    read = revoked_meanwhile(cast)

    with pytest.raises(ConsentRevokedError):
        consents.update_consent(consent=read, values={"territory": "EU"}, actor=cast.alice)

    kept = Consent.objects.get(pk=read.pk)
    assert kept.revoked_at is not None
    assert (kept.revoke_reason, kept.territory) == ("Asked to", "")


def test_document_is_not_attached_to_a_consent_that_was_revoked(cast: Cast) -> None:
    read = revoked_meanwhile(cast)

    with pytest.raises(ConsentRevokedError):
        consents.attach_document(
            consent=read, upload=SimpleUploadedFile("contract.pdf", PDF), actor=cast.alice
        )

    assert not Consent.objects.get(pk=read.pk).document


def test_two_changes_of_a_consent_are_both_kept(cast: Cast) -> None:
    made = make_consent(cast)
    one, other = (Consent.objects.get(pk=made.pk) for _ in range(2))

    consents.update_consent(consent=one, values={"territory": "EU"}, actor=cast.alice)
    consents.update_consent(consent=other, values={"is_commercial": True}, actor=cast.alice)

    made.refresh_from_db()
    assert (made.territory, made.is_commercial) == ("EU", True)


def test_member_who_was_removed_does_not_come_back_by_a_change_of_role(cast: Cast) -> None:
    dora = add_member(cast.organization, Role.VIEWER, "dora")
    read = Membership.objects.get(user=dora)
    organizations.leave_organization(membership=Membership.objects.get(user=dora))

    with pytest.raises(NotFoundError):
        members.change_role(membership=read, role=Role.PRODUCER, actor=cast.alice)
    with pytest.raises(NotFoundError):
        organizations.transfer_organization(
            organization=cast.organization, member=read, actor=cast.alice
        )

    assert not dora.memberships.exists()
    assert cast.alice.memberships.get().role == Role.OWNER


def test_closing_line_and_plan_are_set_at_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan.objects.create(name="Small")
    read = quota_of(cast.organization)
    OrganizationQuota.objects.filter(pk=read.pk).update(plan=plan)
    monkeypatch.setattr("metering.services.plans.quota_of", lambda organization: read)

    set_closing(organization=cast.organization, values={"closing": "card"}, actor=cast.alice)

    kept = OrganizationQuota.objects.get(pk=read.pk)
    assert (kept.plan, kept.closing) == (plan, "card")
