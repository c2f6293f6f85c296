"""Consents on record: written, documented, revoked; and who may read the document."""

from __future__ import annotations

import hashlib
import io
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from accounts.documents import DOCUMENT_MAX_BYTES
from accounts.models import AuditEntry, Consent
from tests.factories import Cast, api_client, error_of
from tests.streams.pictures import image_bytes, png_bytes
from tests.streams.plans import make_show

pytestmark = [pytest.mark.django_db, pytest.mark.database]
PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
JPEG = image_bytes(form="JPEG", mode="RGB")
API = "/api/v1/consents/"


def make_consent(cast: Cast, **values: Any) -> Consent:
    fields = {"subject": "Lin Xia", "scope": "face", **values}
    consent: Consent = Consent.objects.create(organization=cast.organization, **fields)
    return consent


def upload(cast: Cast, consent: Consent, content: bytes, name: str = "contract.pdf") -> Any:
    form = {"file": ContentFile(content, name)}
    return api_client(cast.alice).post(f"{API}{consent.pk}/document/", form, format="multipart")


def test_owner_puts_a_consent_on_record_with_its_document(cast: Cast) -> None:
    client = api_client(cast.alice)
    ends = (timezone.now() + timedelta(days=90)).isoformat()
    body = {"subject": " Lin Xia ", "scope": "face", "territory": "CN, EU", "expires_at": ends}

    made = client.post(API, body).json()
    documented = upload(cast, Consent.objects.get(pk=made["id"]), PDF).json()
    file = api_client().get(documented["document_url"])

    assert (made["subject"], made["has_document"], made["document_url"]) == ("Lin Xia", False, None)
    assert documented["document_sha256"] == hashlib.sha256(PDF).hexdigest()
    assert file.content == PDF
    assert file["Content-Type"] == "application/pdf"
    assert file["Content-Disposition"].startswith("attachment")
    assert file["X-Content-Type-Options"] == "nosniff"
    actions = AuditEntry.objects.filter(object_id=made["id"]).values_list("action", flat=True)
    assert set(actions) == {"accounts.consent.created", "accounts.consent.documented"}


@pytest.mark.parametrize(
    ("content", "kind"),
    [(PDF, "pdf"), (png_bytes(), "png"), (JPEG, "jpg")],
    ids=["pdf", "png", "jpg"],
)
def test_kind_of_a_document_is_told_by_what_is_in_it(cast: Cast, content: bytes, kind: str) -> None:
    consent = make_consent(cast)

    upload(cast, consent, content, "../../etc/innocent.exe")

    consent.refresh_from_db()
    path = Path(consent.document.path)
    assert path.parent == Path(settings.MEDIA_ROOT) / "consents"
    assert (path.suffix, len(path.stem)) == (f".{kind}", 32)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"MZ\x90\x00" + PDF,
        PDF.replace(b"%%EOF", b""),
        png_bytes()[:-1],
        png_bytes() + b"PK\x03\x04",
        JPEG[:-2],
        b"GIF89a" + b"\x00" * 40,
        PDF + b"x" * 2000,
    ],
)
def test_what_is_no_whole_document_is_refused_and_the_old_one_stays(
    cast: Cast, content: bytes
) -> None:
    consent = make_consent(cast)
    upload(cast, consent, PDF)

    answer = upload(cast, consent, content)

    consent.refresh_from_db()
    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == "file"
    assert Path(consent.document.path).read_bytes() == PDF


def test_document_that_is_too_large_is_refused(cast: Cast) -> None:
    consent = make_consent(cast)

    answer = upload(cast, consent, PDF[:-6] + b"x" * DOCUMENT_MAX_BYTES + b"%%EOF\n")

    assert answer.status_code in (400, 413)
    assert not Consent.objects.get().document


def test_new_document_takes_the_place_of_the_old_file(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    consent = make_consent(cast)
    upload(cast, consent, PDF)
    consent.refresh_from_db()
    old = Path(consent.document.path)

    with django_capture_on_commit_callbacks(execute=True):
        upload(cast, consent, png_bytes())

    consent.refresh_from_db()
    assert not old.exists()
    assert Path(consent.document.path).exists()


def test_document_whose_row_is_not_written_leaves_the_old_file_alone(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    consent = make_consent(cast)
    upload(cast, consent, PDF)
    consent.refresh_from_db()
    folder = Path(consent.document.path).parent
    before = set(folder.iterdir())
    monkeypatch.setattr("accounts.services.consents.record", Mock(side_effect=OSError("full")))

    assert upload(cast, consent, png_bytes()).status_code == 500

    assert set(folder.iterdir()) == before
    assert Path(Consent.objects.get().document.path).read_bytes() == PDF


def test_members_see_the_record_and_owners_alone_the_document(cast: Cast) -> None:
    consent = make_consent(cast)
    upload(cast, consent, PDF)

    seen = api_client(cast.bob).get(f"{API}{consent.pk}/")
    guessed = api_client(cast.alice).get(f"{API}{consent.pk}/file/?signature={'0' * 32}")
    written = api_client(cast.bob).patch(f"{API}{consent.pk}/", {"territory": "US"})

    assert (seen.json()["has_document"], seen.json()["document_url"]) == (True, None)
    assert (guessed.status_code, written.status_code) == (404, 403)


def test_revoked_consent_stays_revoked_and_unchanged(cast: Cast) -> None:
    consent = make_consent(cast)
    client = api_client(cast.alice)

    first = client.post(f"{API}{consent.pk}/revoke/", {"reason": "She asked us to."})
    second = client.post(f"{API}{consent.pk}/revoke/", {"reason": "Again."})
    changed = client.patch(f"{API}{consent.pk}/", {"expires_at": None})

    assert first.json()["revoke_reason"] == second.json()["revoke_reason"] == "She asked us to."
    assert (changed.status_code, error_of(changed)["code"]) == (409, "consent_revoked")
    assert AuditEntry.objects.filter(action="accounts.consent.revoked").count() == 1


def test_person_and_scope_of_a_record_do_not_change(cast: Cast) -> None:
    consent = make_consent(cast)

    answer = api_client(cast.alice).patch(f"{API}{consent.pk}/", {"subject": "Somebody else"})

    assert error_of(answer)["details"][0]["field"] == "subject"


def test_consent_for_a_voice_is_none_for_a_face(cast: Cast) -> None:
    avatar = api_client(cast.alice).get("/api/v1/avatars/").json()["results"][0]["id"]
    consent = make_consent(cast, scope="voice")

    answer = api_client(cast.alice).patch(
        f"/api/v1/avatars/{avatar}/", {"consent": str(consent.pk)}
    )

    assert error_of(answer)["details"][0]["code"] == "wrong_scope"


def test_admin_takes_the_document_and_revokes(cast: Cast, client: Client) -> None:
    client.force_login(cast.alice)
    body = {
        "organization": str(cast.organization.pk), "subject": "Lin Xia", "scope": "face",
        "territory": "", "upload": io.BytesIO(b"no document"),
    }  # fmt: skip

    refused = client.post("/admin/accounts/consent/add/", body)
    body["upload"] = ContentFile(PDF, "contract.pdf")
    made = client.post("/admin/accounts/consent/add/", body)
    consent = Consent.objects.get()
    page = client.get(f"/admin/accounts/consent/{consent.pk}/change/").content.decode()
    client.post(
        "/admin/accounts/consent/", {"action": "revoke", "_selected_action": str(consent.pk)}
    )

    assert (refused.status_code, made.status_code) == (200, 302)
    assert f"/api/v1/consents/{consent.pk}/file/?signature=" in page
    consent.refresh_from_db()
    assert Path(consent.document.path).read_bytes() == PDF
    assert consent.revoked_at is not None


def test_admin_offers_the_shows_of_the_organization_by_title(cast: Cast, client: Client) -> None:
    own = make_show(cast.organization, cast.alice, title="Evening sale")
    foreign = make_show(cast.elsewhere, cast.charlie, title="Somebody else's")
    consent = make_consent(cast)
    address = f"/admin/accounts/consent/{consent.pk}/change/"
    client.force_login(cast.alice)
    body = {"territory": "CN"}

    page = client.get(address).content.decode()
    saved = client.post(address, {**body, "shows": [str(own.pk)]})
    refused = client.post(address, {**body, "shows": [str(foreign.pk)]})

    assert f'<option value="{own.pk}">Evening sale</option>' in page
    assert "Somebody else" not in page
    assert (saved.status_code, refused.status_code) == (302, 200)
    consent.refresh_from_db()
    assert consent.shows == [str(own.pk)]


def test_admin_keeps_a_show_that_was_put_away_and_tells_its_title(
    cast: Cast, client: Client
) -> None:
    gone = make_show(cast.organization, cast.alice, title="Spring", archived_at=timezone.now())
    other = make_show(cast.organization, cast.alice, title="Autumn", archived_at=timezone.now())
    consent = make_consent(cast, shows=[str(gone.pk)])
    address = f"/admin/accounts/consent/{consent.pk}/change/"

    client.force_login(cast.alice)
    for_owner = client.get(address).content.decode()
    client.force_login(cast.bob)
    for_operator = client.get(address).content.decode()

    assert f'<option value="{gone.pk}" selected>Spring</option>' in for_owner
    assert str(other.pk) not in for_owner
    assert "Spring" in for_operator
    assert str(gone.pk) not in for_operator


def test_superuser_cannot_mix_shows_of_two_organizations(cast: Cast, client: Client) -> None:
    own = make_show(cast.organization, cast.alice, title="Evening sale")
    foreign = make_show(cast.elsewhere, cast.charlie, title="Morning sale")
    cast.alice.is_superuser = True
    cast.alice.save()
    client.force_login(cast.alice)
    body = {"organization": str(cast.organization.pk), "subject": "Lin Xia", "scope": "face"}

    page = client.get("/admin/accounts/consent/add/").content.decode()
    refused = client.post(
        "/admin/accounts/consent/add/",
        {**body, "shows": [str(foreign.pk)]},
        headers={"Accept-Language": "en"},
    )
    made = client.post("/admin/accounts/consent/add/", {**body, "shows": [str(own.pk)]})

    assert "Evening sale · alice" in page
    assert "Choose shows of the same organization." in refused.content.decode()
    assert made.status_code == 302
    assert Consent.objects.get().shows == [str(own.pk)]


def test_consent_names_shows_of_its_organization_only(cast: Cast) -> None:
    own = make_show(cast.organization, cast.alice)
    foreign = make_show(cast.elsewhere, cast.charlie)
    body = {"subject": "Lin Xia", "scope": "both"}
    client = api_client(cast.alice)

    refused = client.post(API, {**body, "shows": [str(own.pk), str(foreign.pk)]})
    made = client.post(API, {**body, "shows": [str(own.pk)]})

    assert error_of(refused)["details"][0]["field"] == "shows.1"
    assert made.json()["shows"] == [str(own.pk)]
