"""An organization from its second owner to its last file."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils import timezone

from accounts import hooks
from accounts.archive import SECRET_FIELDS, exported_fields
from accounts.models import AuditEntry, Consent, Organization, OrganizationExport, User
from accounts.roles import SYSTEM, Role
from accounts.services.deletion import delete_due_organizations
from accounts.services.exports import make_next_export
from accounts.services.organizations import GRACE, restore_organization
from accounts.tenancy import our_models, rows_of, tenant_models
from avatars.bundles import bundle_folder
from inference.models import Runner
from inference.services import run_folder
from livestudio.common import vault
from livestudio.common.errors import ForbiddenError
from metering.models import Plan
from metering.services.counting import Holder, count
from metering.services.plans import assign_plan, set_closing
from streams.models import Broadcast, Recording, WhepViewer
from streams.services.calendar_address import renew_address
from streams.services.lifecycle import finish_broadcast, stop_broadcast
from streams.services.tickets import create_ticket
from tests.factories import (
    PASSWORD,
    Cast,
    add_member,
    api_client,
    error_of,
    make_api_key,
    make_invitation,
    make_organization,
)
from tests.streams.pictures import make_picture
from tests.streams.plans import CANARY_KEY, make_output, make_schedule, make_show, put_live
from voices.models import Pronunciation, Voice, VoiceFallback
from webhooks.services.deliveries import send_test
from webhooks.services.endpoints import create_webhook

pytestmark = [pytest.mark.django_db, pytest.mark.database]
ENGINE_KEY = "canary-engine-key-4471"


def base(cast: Cast) -> str:
    return f"/api/v1/organizations/{cast.organization.pk}/"


def delete_body(cast: Cast, **more: Any) -> dict[str, Any]:
    return {"name": cast.organization.name, "password": PASSWORD, **more}


def over(broadcast: Broadcast) -> Broadcast:
    stop_broadcast(broadcast=broadcast, actor=broadcast.started_by)  # type: ignore[arg-type]
    broadcast.refresh_from_db()
    assert finish_broadcast(broadcast=broadcast, state="ended")
    return broadcast


def fill(cast: Cast) -> Broadcast:
    """Something in every table that an organization may have rows in, and its files."""
    organization = cast.organization
    output = make_output(organization, cast.alice, stream_key=CANARY_KEY)
    broadcast = put_live(cast, outputs=[output])
    broadcast.utterances.create(source="script", text="大家好。")
    broadcast.events.create(sequence=1, kind="output", at=timezone.now())
    broadcast.samples.create(at=timezone.now())
    create_ticket(broadcast=broadcast, purpose="watch", user=None, origin="", credential="")
    _write(Path(settings.RECORDINGS_DIR) / str(broadcast.pk) / "a.mp4", b"film")
    _write(run_folder(broadcast.pk) / "outbox.jsonl", b"{}")
    Recording.objects.create(broadcast=broadcast, runner_key="1", path=f"{broadcast.pk}/a.mp4")
    Runner.objects.create(
        broadcast=broadcast.pk, lease_epoch=9, launcher="local", started_at=timezone.now()
    )
    over(broadcast)
    show = broadcast.show
    show.avatar.clips.create(name="Nod", engine_name="nod")
    build = show.avatar.builds.create(number=1, engine="musetalk", state="ready")
    _write(bundle_folder(build) / "manifest.json", b"{}")
    show.avatar.preview.save("p.png", ContentFile(b"png"))
    make_schedule(show)
    show.occurrences.create(starts_at=timezone.now())
    make_picture(organization)
    renew_address(organization=organization, actor=cast.alice)
    make_api_key(cast)
    make_invitation(cast)
    Consent.objects.create(organization=organization, subject="Lin", scope="face")
    OrganizationExport.objects.create(organization=organization, state="failed")
    Pronunciation.objects.create(
        organization=organization, language="zh-CN", text="行", reading="hang2"
    )
    other = Voice.objects.for_organization(organization).exclude(pk=show.voice_id).first()
    VoiceFallback.objects.create(voice=show.voice, fallback=other, position=0)
    vault.seal_into(show.voice, "sealed_api_key", ENGINE_KEY)
    show.voice.save()
    set_closing(organization=organization, values={"closing": "card"}, actor=cast.alice)
    plan = Plan.objects.create(name="Small")
    assign_plan(organization=organization, plan=plan, overrides={"voices": 9}, actor=SYSTEM)
    count(Holder(organization.pk, "b"), "tts_characters", 5, now=timezone.now())
    webhook, _ = create_webhook(
        organization=organization, values={"url": "http://127.0.0.1:9/"}, actor=cast.alice
    )
    send_test(webhook=webhook, actor=cast.alice).tries.create(number=1, latency_ms=9)
    LogEntry.objects.create(
        user=cast.alice, content_type=ContentType.objects.get_for_model(show),
        object_id=str(show.pk), object_repr=show.title, action_flag=2,
    )  # fmt: skip
    WhepViewer.objects.create(viewer="v", broadcast=broadcast)
    return broadcast


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def all_files() -> set[Path]:
    folders = (
        settings.MEDIA_ROOT,
        settings.RECORDINGS_DIR,
        settings.RUNS_DIR,
        settings.EXPORTS_DIR,
        settings.DATA_DIR / "bundles",
    )
    return {path for folder in folders for path in Path(folder).rglob("*") if path.is_file()}


def make_export(cast: Cast, **body: Any) -> zipfile.ZipFile:
    """As an owner gets it: asked for, made in the background, fetched by its address."""
    client = api_client(cast.alice)
    asked = client.post(f"{base(cast)}export/", body)
    assert asked.status_code == 202, asked.content
    call_command("do_chores")
    made = client.get(f"{base(cast)}export/").json()["results"][0]
    assert made["state"] == "ready", made
    file = api_client().get(made["file_url"])
    assert file.status_code == 200
    content = b"".join(file.streaming_content)
    assert len(content) == made["size_bytes"]
    return zipfile.ZipFile(BytesIO(content))


# --- members ------------------------------------------------------------------------------------


def test_member_leaves_and_the_last_owner_does_not(cast: Cast) -> None:
    left = api_client(cast.bob).post(f"{base(cast)}leave/")
    stays = api_client(cast.alice).post(f"{base(cast)}leave/")

    assert (left.status_code, stays.status_code) == (204, 400)
    assert not cast.bob.memberships.exists()
    assert cast.alice.memberships.get().role == Role.OWNER
    assert AuditEntry.objects.filter(actor=cast.bob, action="accounts.membership.left").exists()


def test_owner_hands_the_organization_over_with_the_password(cast: Cast) -> None:
    client = api_client(cast.alice)
    body = {"member": str(cast.bob.memberships.get().pk)}

    wrong = client.post(f"{base(cast)}transfer/", {**body, "password": "not-it"})
    done = client.post(f"{base(cast)}transfer/", {**body, "password": PASSWORD})

    assert (wrong.status_code, done.status_code) == (401, 204)
    assert cast.bob.memberships.get().role == Role.OWNER
    assert cast.alice.memberships.get().role == Role.PRODUCER
    entry = AuditEntry.objects.get(action="accounts.organization.transferred")
    assert entry.data == {"to": "bob"}


def test_organization_goes_neither_to_strangers_nor_to_a_key(cast: Cast) -> None:
    key, _ = make_api_key(cast)
    client = api_client(cast.alice)

    for member in (cast.charlie.memberships.get(), key.membership, cast.alice.memberships.get()):
        body = {"member": str(member.pk), "password": PASSWORD}
        assert client.post(f"{base(cast)}transfer/", body).status_code in (400, 404)

    assert cast.alice.memberships.get().role == Role.OWNER


# --- export -------------------------------------------------------------------------------------


def test_export_holds_every_row_and_file_and_no_secret(cast: Cast) -> None:
    broadcast = fill(cast)
    make_show(cast.elsewhere, cast.charlie, title="Foreign plan")

    archive = make_export(cast, with_recordings=True)

    names = set(archive.namelist())
    manifest = json.loads(archive.read("manifest.json"))
    for model in tenant_models():
        if model._meta.label in manifest["rows"]:
            rows = json.loads(archive.read(f"rows/{model._meta.label_lower}.json"))
            assert len(rows) == manifest["rows"][model._meta.label] > 0, model
    assert f"recordings/{broadcast.pk}/a.mp4" in names
    assert {name.split("/")[1] for name in names if name.startswith("files/")} == {
        "avatars", "pictures",
    }  # fmt: skip
    whole = b"".join(archive.read(name) for name in names)
    for secret in (CANARY_KEY, ENGINE_KEY, "Foreign plan", "hashed", "sealed_", "pbkdf2"):
        assert secret.encode() not in whole, secret
    assert {row["username"] for row in manifest["people"]} == {"alice", "bob"}


def test_export_leaves_recordings_out_unless_asked(cast: Cast) -> None:
    fill(cast)

    names = make_export(cast).namelist()

    assert not [name for name in names if name.startswith("recordings/")]
    assert "rows/streams.recording.json" in names


def test_no_field_that_sounds_secret_leaves_unnoticed() -> None:
    harmless = {
        "accounts.ApiKey.prefix", "streams.Output.key_hint", "streams.Output.key_per_broadcast",
        "streams.Broadcast.active_key", "streams.ControlCommand.idempotency_key",
        "streams.Recording.runner_key", "voices.Pronunciation.key",
        "accounts.Consent.document_sha256", "webhooks.Webhook.old_secret_until",
    }  # fmt: skip
    words = ("key", "secret", "hash", "token", "seal", "password", "sha", "credential")
    suspicious = {
        f"{model._meta.label}.{field.name}"
        for model in tenant_models()
        for field in exported_fields(model)
        if any(word in field.name for word in words) and not field.is_relation
    }

    assert suspicious - harmless == set()
    assert "hashed" in SECRET_FIELDS


def test_export_is_for_owners_and_one_at_a_time(cast: Cast) -> None:
    client = api_client(cast.alice)

    refused = api_client(cast.bob).post(f"{base(cast)}export/")
    first, second = client.post(f"{base(cast)}export/"), client.post(f"{base(cast)}export/")

    assert (refused.status_code, first.status_code, second.status_code) == (403, 202, 409)
    assert error_of(second)["code"] == "export_under_way"
    assert client.get(f"{base(cast)}export/").json()["results"][0]["file_url"] is None


def test_export_cut_off_is_made_again_and_given_up_in_the_end(cast: Cast) -> None:
    api_client(cast.alice).post(f"{base(cast)}export/")
    rows = OrganizationExport.objects.all()
    long_ago = timezone.now() - timedelta(hours=3)
    rows.update(state="building", started_at=long_ago, attempts=1)

    assert make_next_export(timezone.now())
    assert rows.get().state == "ready"
    rows.update(state="building", started_at=long_ago, attempts=3)
    assert not make_next_export(timezone.now())

    assert rows.get().state == "failed"


def test_file_of_an_export_is_found_with_its_signature_alone(cast: Cast) -> None:
    make_export(cast)
    export = OrganizationExport.objects.get()
    address = f"{base(cast)}export/{export.pk}/file/"

    assert api_client(cast.alice).get(address).status_code == 404
    assert api_client(cast.alice).get(f"{address}?signature={'0' * 32}").status_code == 404


# --- the end ------------------------------------------------------------------------------------


def test_deletion_asks_for_name_password_and_export(cast: Cast) -> None:
    client = api_client(cast.alice)

    nameless = client.delete(base(cast), delete_body(cast, name="Another"))
    unsure = client.delete(base(cast), delete_body(cast, password="not-it"))
    hasty = client.delete(base(cast), delete_body(cast))
    make_export(cast)
    asked = client.delete(base(cast), delete_body(cast))

    assert error_of(nameless)["details"][0]["field"] == "name"
    assert unsure.status_code == 401
    assert (hasty.status_code, error_of(hasty)["code"]) == (409, "export_required")
    assert asked.status_code == 202
    assert Organization.objects.get(pk=cast.organization.pk).delete_after > timezone.now()


def test_deletion_waits_for_what_is_on_air(cast: Cast) -> None:
    put_live(cast)

    answer = api_client(cast.alice).delete(base(cast), delete_body(cast, without_export=True))

    assert (answer.status_code, error_of(answer)["code"]) == (409, "organization_on_air")
    assert "Evening" in error_of(answer)["message"]


def test_nothing_starts_in_an_organization_that_ends_until_it_is_restored(cast: Cast) -> None:
    show = make_show(cast.organization, cast.alice)
    client = api_client(cast.alice)
    client.delete(base(cast), delete_body(cast, without_export=True))

    refused = client.post(f"/api/v1/shows/{show.pk}/start/")
    restored = client.post(f"{base(cast)}restore/")
    started = client.post(f"/api/v1/shows/{show.pk}/start/")

    assert error_of(refused)["details"][0]["code"] == "organization_ending"
    assert restored.json()["delete_after"] is None
    assert started.status_code == 201


def test_deleted_organization_leaves_no_row_and_no_file(cast: Cast) -> None:
    before = all_files()
    broadcast = fill(cast)
    make_export(cast, with_recordings=True)
    second = make_organization(cast.bob, "Bob's own")
    kept = {model: rows_of(model, cast.elsewhere).count() for model in tenant_models()}
    filled = [model._meta.label for model in tenant_models() if rows_of(model, cast.organization)]
    assert set(filled) == {model._meta.label for model in tenant_models()}
    machines = User.objects.filter(is_machine=True).count()
    api_client(cast.alice).delete(base(cast), delete_body(cast))

    too_early = delete_due_organizations(timezone.now() + GRACE - timedelta(minutes=1))
    deleted = delete_due_organizations(timezone.now() + GRACE)

    assert (too_early, deleted) == (0, 1)
    assert not Organization.objects.filter(pk=cast.organization.pk).exists()
    for model in tenant_models():
        assert not rows_of(model, cast.organization).exists(), model
        assert rows_of(model, cast.elsewhere).count() == kept[model], model
    assert traces_of(str(cast.organization.pk), str(broadcast.pk)) == {"accounts.AuditEntry"}
    assert not LogEntry.objects.filter(object_id=str(broadcast.show_id)).exists()
    assert all_files() - before == set()
    assert machines > 0
    assert not User.objects.filter(is_machine=True).exists()
    assert set(User.objects.values_list("username", flat=True)) >= {"alice", "bob", "charlie"}
    alice, bob = User.objects.get(username="alice"), User.objects.get(username="bob")
    assert (alice.is_staff, bob.is_staff) == (False, True)
    assert bob.memberships.get().organization == second


def traces_of(*ids: str) -> set[str]:
    """The models in whose rows one of the ids still stands, as whatever field."""
    forms = {text for key in ids for text in (key, key.replace("-", ""))}
    return {
        model._meta.label
        for model in our_models()
        for row in model._base_manager.values()
        if any(form in str(value) for form in forms for value in row.values())
    }


def test_deletion_waits_on_and_takes_the_next_organization(cast: Cast) -> None:
    put_live(cast)
    past = timezone.now() - timedelta(days=1)
    Organization.objects.update(delete_after=past)

    assert delete_due_organizations(timezone.now()) == 1

    assert Organization.objects.get() == cast.organization


def test_what_is_restored_while_another_is_deleted_stays(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One with many films takes minutes."""
    owners = {cast.organization.pk: cast.alice, cast.elsewhere.pk: cast.charlie}
    Organization.objects.update(delete_after=timezone.now() - timedelta(minutes=1))

    def restore_the_other(deleted: Organization) -> None:
        other = Organization.objects.exclude(pk=deleted.pk).get()
        restore_organization(organization=other, actor=owners[other.pk])

    monkeypatch.setattr(hooks, "ORGANIZATION_DELETED", [restore_the_other])

    assert delete_due_organizations(timezone.now()) == 1
    assert Organization.objects.get().delete_after is None


def test_what_is_being_deleted_is_restored_no_more(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    Organization.objects.filter(pk=cast.organization.pk).update(delete_after=timezone.now())
    told: list[str] = []

    def restore(deleted: Organization) -> None:
        try:
            restore_organization(organization=cast.organization, actor=cast.alice)
        except ForbiddenError as error:
            told.append(error.code)

    monkeypatch.setattr(hooks, "ORGANIZATION_DELETED", [restore])
    cast.organization.refresh_from_db()

    assert delete_due_organizations(timezone.now()) == 1
    assert told == ["forbidden"]


def test_members_other_than_owners_can_neither_delete_nor_restore(cast: Cast) -> None:
    producer = add_member(cast.organization, Role.PRODUCER, f"p_{uuid4().hex[:8]}")

    for user, status in ((producer, 403), (cast.charlie, 404)):
        client = api_client(user)
        answer = client.delete(base(cast), delete_body(cast, without_export=True))
        assert answer.status_code == status
        assert client.post(f"{base(cast)}restore/").status_code == status
