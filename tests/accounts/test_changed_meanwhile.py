"""Two people change one row at the same moment: neither takes back what the other has done.

A row that was read before somebody else's change stands for a request that was under way.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.errors import AlreadyMemberError, ConsentRevokedError, LinkInvalidError
from accounts.models import Consent, Membership, Organization, User
from accounts.roles import SYSTEM, Role
from accounts.services import consents, invitations, members, organizations
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


def before_the_lock(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    """Somebody else gets the lock of the members first, and does this."""
    lock = members.lock_members

    def lock_later(organization: Organization) -> None:
        monkeypatch.setattr(members, "lock_members", lock)
        happens()
        lock(organization)

    monkeypatch.setattr(members, "lock_members", lock_later)


def invited(cast: Cast, actor: User) -> str:
    """The token of an invitation to be a viewer."""
    _invitation, link = invitations.invite(
        organization=cast.organization, email="c@example.org", role=Role.VIEWER, actor=actor,
        base_url="http://testserver",
    )  # fmt: skip
    return link.strip("/").rpartition("/")[2]


def test_invitation_ends_with_the_rights_of_who_invites(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    eve = add_member(cast.organization, Role.OWNER, "eve")
    token = invited(cast, eve)
    membership = Membership.objects.get(user=eve)
    before_the_lock(
        monkeypatch, lambda: members.remove_member(membership=membership, actor=cast.alice)
    )

    with pytest.raises(LinkInvalidError):
        invitations.accept(token=token, user=cast.charlie)

    assert not Membership.objects.filter(organization=cast.organization, user=cast.charlie).exists()


def test_invitation_does_not_take_a_role_that_was_given_meanwhile(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = invited(cast, cast.alice)
    before_the_lock(
        monkeypatch,
        lambda: members.set_role(
            organization=cast.organization, user=cast.charlie, role=Role.OWNER, actor=SYSTEM
        ),
    )

    with pytest.raises(AlreadyMemberError):
        invitations.accept(token=token, user=cast.charlie)


def test_closing_line_and_plan_are_set_at_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan.objects.create(name="Small")
    read = quota_of(cast.organization)
    OrganizationQuota.objects.filter(pk=read.pk).update(plan=plan)
    monkeypatch.setattr("metering.services.plans.quota_of", lambda organization: read)

    set_closing(organization=cast.organization, values={"closing": "card"}, actor=cast.alice)

    kept = OrganizationQuota.objects.get(pk=read.pk)
    assert (kept.plan, kept.closing) == (plan, "card")
