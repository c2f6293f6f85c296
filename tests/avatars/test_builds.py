"""Filmed presenters through the API: uploaded, built, watched, cancelled, taken back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.models import AuditEntry
from avatars import build_events, builds, uploads
from avatars.builder import AvatarBuilder
from avatars.bundles import bundle_folder, engine_settings
from avatars.errors import BuildNotPossibleError
from avatars.models import Avatar, AvatarBuild
from inference.builds import BuildEvent
from livestudio.common.errors import ForbiddenError
from streams.services.runner_spec import build_runner_spec
from tests.avatars.filmed import FACTS, finish, form, run_builder, upload
from tests.factories import Cast, api_client, error_of
from tests.streams.plans import put_live

pytestmark = [
    pytest.mark.django_db, pytest.mark.database, pytest.mark.usefixtures("unseen_uploads"),
]  # fmt: skip


def test_upload_makes_a_presenter_that_is_being_built(cast: Cast) -> None:
    answer = upload(cast, settings=json.dumps({"version": "v1"}), options='{"bbox_shift": 3}')

    assert answer.status_code == 201, answer.content
    assert (answer.json()["state"], answer.json()["progress"]) == ("building", 0)
    build = AvatarBuild.objects.get()
    assert (build.number, build.state, build.engine) == (1, "queued", "musetalk_tiny")
    assert (build.settings, build.options) == ({"version": "v1"}, {"bbox_shift": 3})
    assert Path(build.source.path).read_bytes() == b"not a film at all"
    assert "me" not in Path(build.source.name).name
    assert AuditEntry.objects.filter(action="avatars.build.started").exists()


def test_upload_that_nobody_looked_at_is_refused_by_its_build(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    builder = AvatarBuilder()

    run_builder(builder, build)

    row = api_client(cast.alice).get(f"/api/v1/avatars/{build.avatar_id}/").json()
    assert build.state == "failed"
    assert "neither a film" in build.reason
    assert (row["state"], row["failure_reason"]) == ("failed", build.reason)
    assert [entry["stage"] for entry in build.log] == ["frames", "failed"]
    assert not bundle_folder(build).exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"engine": "puppet"}, "file"),
        ({"engine": "hologram"}, "engine"),
        ({"settings": '{"version": "v9"}'}, "settings.version"),
        ({"settings": "[1]"}, "settings"),
        ({"options": "{"}, "options"),
        ({"name": ""}, "name"),
        ({"file": ""}, "file"),
    ],
)
def test_wrong_forms_are_refused_and_leave_nothing(
    cast: Cast, values: dict[str, Any], field: str
) -> None:
    before = Avatar.objects.count()

    answer = upload(cast, **values)

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == field
    assert Avatar.objects.count() == before
    assert not list(Path(site.MEDIA_ROOT).rglob("avatar-uploads/*"))


@pytest.mark.parametrize("full", ["record", "landmarks"])
def test_upload_that_is_not_queued_leaves_no_film(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, full: str
) -> None:
    is_full = Mock(side_effect=OSError("No space left on device"))
    if full == "record":
        monkeypatch.setattr(builds, "record", is_full)
    values: dict[str, Any] = {} if full == "record" else {"landmarks": HalfOfAFile("p.json", b"{}")}

    with pytest.raises(OSError, match="No space"):
        builds.create_filmed_avatar(
            organization=cast.organization,
            values={"name": "Mei", "engine": "musetalk_tiny", "settings": {}},
            uploads={"file": SimpleUploadedFile("me.mp4", b"film"), **values},
            actor=cast.alice,
        )

    assert not list(Path(site.MEDIA_ROOT).rglob("avatar-uploads/*"))
    assert not AvatarBuild.objects.exists()


class HalfOfAFile(SimpleUploadedFile):
    """The disk is full before it is written."""

    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"{"
        raise OSError("No space left on device")


def test_filmed_engine_without_an_upload_is_refused(cast: Cast) -> None:
    answer = api_client(cast.alice).post(
        "/api/v1/avatars/", {"name": "Mei", "engine": "musetalk", "settings": {}}
    )

    assert answer.status_code == 400
    assert error_of(answer)["details"][0]["field"] == "file"


def test_upload_that_is_too_large_is_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "UPLOAD_MAX_BYTES", 10)

    answer = upload(cast)

    assert error_of(answer)["details"][0]["code"] == "too_large"


def test_finished_build_is_what_shows_present(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    build_events.apply_event(
        build, BuildEvent("progress", {"progress": 40, "stage": "latents", "message": ""})
    )
    halfway = api_client(cast.bob).get(f"/api/v1/avatars/{build.avatar_id}/").json()

    finish(build)

    client = api_client(cast.bob)
    row = client.get(f"/api/v1/avatars/{build.avatar_id}/").json()
    (version,) = client.get(f"/api/v1/avatars/{build.avatar_id}/builds/").json()["results"]
    clips = client.get(f"/api/v1/avatars/{build.avatar_id}/clips/").json()["results"]
    assert (halfway["state"], halfway["progress"]) == ("building", 40)
    assert (row["state"], row["progress"]) == ("ready", 100)
    assert (version["number"], version["is_current"], version["facts"]) == (1, True, FACTS)
    assert [clip["engine_name"] for clip in clips] == ["wave"]
    assert api_client().get(row["preview_url"]).content == b"png"
    film = api_client().get(version["preview_url"])
    assert b"".join(film.streaming_content) == b"film"
    assert film["Content-Type"] == "video/mp4"
    unsigned = version["preview_url"].partition("?")[0]
    assert api_client(cast.alice).get(unsigned).status_code == 404


def test_runner_is_told_where_bundle_and_weights_lie(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    finish(build)
    broadcast = put_live(cast)
    broadcast.snapshot["avatar"] = str(build.avatar_id)

    spec = build_runner_spec(broadcast, token="t")

    assert spec.avatar.settings["bundle"] == str(bundle_folder(build))
    assert spec.avatar.settings["weights"] == str(Path(site.DATA_DIR) / "weights")
    assert spec.avatar.settings["version"] == "v1.5"
    assert spec.avatar.clips == {"wave": 800}


def test_second_version_can_be_left_for_the_first_one(cast: Cast) -> None:
    upload(cast)
    first = AvatarBuild.objects.get()
    finish(first)
    client = api_client(cast.alice)
    address = f"/api/v1/avatars/{first.avatar_id}/builds/"
    form_of_build = {key: value for key, value in form().items() if key in ("file", "landmarks")}
    made = client.post(address, form_of_build, format="multipart").json()
    second = AvatarBuild.objects.get(number=2)
    avatar = Avatar.objects.get(pk=first.avatar_id)
    meanwhile = (avatar.state, engine_settings(avatar)["bundle"])
    finish(second)

    back = client.post(f"{address}{first.pk}/use/")

    assert made["number"] == 2
    assert meanwhile == ("ready", str(bundle_folder(first)))
    assert back.status_code == 200
    assert back.json()["is_current"]
    assert engine_settings(avatar)["bundle"] == str(bundle_folder(first))
    assert not AvatarBuild.objects.get(pk=second.pk).is_current


def test_failed_second_version_leaves_the_first_in_use(cast: Cast) -> None:
    upload(cast)
    first = AvatarBuild.objects.get()
    finish(first)
    second = AvatarBuild.objects.create(avatar=first.avatar, number=2, engine="musetalk_tiny")

    build_events.apply_event(second, BuildEvent("refused", {"code": "x", "message": "Too dark."}))

    assert Avatar.objects.get(pk=first.avatar_id).state == "ready"
    answer = api_client(cast.alice).post(
        f"/api/v1/avatars/{first.avatar_id}/builds/{second.pk}/use/"
    )
    assert error_of(answer)["code"] == "build_not_possible"


def test_reason_that_is_longer_than_its_column_is_cut(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    words = "The folder lacks weights. " * 100

    build_events.apply_event(build, BuildEvent("refused", {"code": "x", "message": words}))

    avatar = Avatar.objects.get(pk=build.avatar_id)
    assert (avatar.state, avatar.failure_reason) == ("failed", words[:1000])


def test_waiting_build_is_cancelled_at_once_and_a_running_one_soon(cast: Cast) -> None:
    client = api_client(cast.alice)
    upload(cast)
    waiting = AvatarBuild.objects.get()
    answer = client.post(f"/api/v1/avatars/{waiting.avatar_id}/builds/{waiting.pk}/cancel/")
    assert (answer.status_code, answer.json()["state"]) == (202, "cancelled")

    upload(cast, name="Lan")
    running = AvatarBuild.objects.get(state="queued")
    builder = AvatarBuilder()
    builder.look()
    running.refresh_from_db()
    assert running.state == "building"
    address = f"/api/v1/avatars/{running.avatar_id}/builds/{running.pk}/cancel/"
    assert client.post(address).json()["state"] == "building"
    builder.look()
    running.refresh_from_db()

    assert running.state == "cancelled"
    assert Avatar.objects.get(pk=running.avatar_id).state == "failed"
    assert error_of(client.post(address))["code"] == "build_not_possible"
    assert not list((site.DATA_DIR / "bundles").rglob(".*"))


def test_build_of_a_loop_that_died_is_begun_again_and_given_up_in_the_end(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    lost = AvatarBuild.objects.filter(pk=build.pk)
    for attempt in range(1, 4):
        lost.update(state="building", attempts=attempt, heartbeat_at="2026-01-01T00:00Z")
        builder = AvatarBuilder()
        builder.look()
        build.refresh_from_db()
        assert build.state == ("building" if attempt < 3 else "failed")
        builder.close()

    assert "again and again" in build.reason


def test_organizations_have_their_builds_in_turn(cast: Cast) -> None:
    for name in ("Lin", "Lan"):
        upload(cast, name=name)
    api_client(cast.charlie).post("/api/v1/avatars/", form(name="Yu"), format="multipart")
    builder, begun = AvatarBuilder(), []

    while AvatarBuild.objects.filter(state="queued").exists():
        builder.look()
        building = AvatarBuild.objects.get(state="building")
        begun.append(building.avatar.name)
        run_builder(builder, building)

    assert begun == ["Lin", "Yu", "Lan"]


def test_loop_that_ends_gives_its_build_back(cast: Cast) -> None:
    upload(cast)
    builder = AvatarBuilder()
    builder.look()
    builder.close()

    assert AvatarBuild.objects.get().state == "queued"


def test_second_upload_while_one_is_built_is_refused(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    values = {key: value for key, value in form().items() if key == "file"}

    answer = api_client(cast.alice).post(
        f"/api/v1/avatars/{build.avatar_id}/builds/", values, format="multipart"
    )

    assert error_of(answer)["code"] == "build_not_possible"


def test_deleted_presenter_leaves_no_bundle(
    cast: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    finish(build)

    with django_capture_on_commit_callbacks(execute=True):
        answer = api_client(cast.alice).delete(f"/api/v1/avatars/{build.avatar_id}/")

    assert answer.status_code == 204
    assert not bundle_folder(build).exists()
    assert not bundle_folder(build).parent.exists()


def test_outsiders_find_nothing(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    finish(build)
    client = api_client(cast.charlie)
    address = f"/api/v1/avatars/{build.avatar_id}/builds/"

    for method, path in (
        ("get", address), ("get", f"{address}{build.pk}/"),
        ("post", f"{address}{build.pk}/cancel/"), ("post", f"{address}{build.pk}/use/"),
        ("post", f"{address}{build.pk}/retry/"),
    ):  # fmt: skip
        assert getattr(client, method)(path).status_code == 404


def test_admin_shows_versions_with_their_log(cast: Cast, client: Any) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    finish(build)
    client.force_login(cast.alice)

    page = client.get(f"/admin/avatars/avatar/{build.avatar_id}/change/").content.decode()

    assert f"/builds/{build.pk}/preview/?signature=" in page
    assert "就绪 <br>" in page


def admin_form(cast: Cast, **values: Any) -> dict[str, Any]:
    counts = {f"{name}-{kind}_FORMS": "0"
              for name in ("clips", "builds") for kind in ("TOTAL", "INITIAL")}  # fmt: skip
    return {
        "organization": str(cast.organization.pk), "name": "Mei", "engine": "musetalk_tiny",
        "licences": "", **counts, **values,
    }  # fmt: skip


def test_admin_uploads_a_film_and_builds_a_failed_version_again(cast: Cast, client: Any) -> None:
    client.force_login(cast.alice)
    add = "/admin/avatars/avatar/add/"
    film = SimpleUploadedFile("me.mp4", b"not a film at all")

    refused = client.post(add, admin_form(cast))
    made = client.post(add, admin_form(cast, film=film))
    build = AvatarBuild.objects.get()
    refusal = {"code": "no_face", "message": "There is no face."}
    build_events.apply_event(build, BuildEvent("refused", refusal))
    address = f"/admin/avatars/avatar/{build.avatar_id}/change/"
    page = client.get(address).content.decode()
    client.post(address, admin_form(cast, _retry=str(build.pk)))

    assert refused.status_code == 200
    assert made.status_code == 302
    assert f'name="_retry" value="{build.pk}"' in page
    build.refresh_from_db()
    assert (build.state, build.reason, build.avatar.state) == ("queued", "", "building")


def test_failed_version_is_built_again_over_rest_and_its_log_is_read_there(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    refusal = {"code": "no_face", "message": "There is no face in this film."}
    build_events.apply_event(build, BuildEvent("refused", refusal))
    client = api_client(cast.alice)
    address = f"/api/v1/avatars/{build.avatar_id}/builds/{build.pk}/"

    failed = client.get(address).json()
    again = client.post(f"{address}retry/")
    twice = client.post(f"{address}retry/", headers={"accept-language": "en"})

    assert [(line["stage"], line["message"]) for line in failed["log"]] == [
        ("failed", "There is no face in this film.")
    ]
    assert again.status_code == 202
    assert (again.json()["state"], again.json()["reason"]) == ("queued", "")
    assert again.json()["log"] == failed["log"]
    build.avatar.refresh_from_db()
    assert build.avatar.state == Avatar.State.BUILDING
    assert twice.status_code == 409
    assert twice.json()["error"]["code"] == "build_not_possible"


def test_only_a_failed_version_is_built_again(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    finish(build)

    with pytest.raises(BuildNotPossibleError, match="只有失败的版本"):
        builds.retry_build(build=build, actor=cast.alice)
    with pytest.raises(ForbiddenError):
        builds.retry_build(build=build, actor=cast.bob)


def test_admin_names_missing_weights_and_their_licences(cast: Cast, client: Any) -> None:
    avatar = Avatar.objects.create(organization=cast.organization, name="Mei", engine="musetalk")
    client.force_login(cast.alice)

    page = client.get(f"/admin/avatars/avatar/{avatar.pk}/change/").content.decode()

    assert "缺失" in page
    assert "the model card says Apache-2.0" in page
