"""Presenters that were built elsewhere: uploaded, taken in by a command, exported."""

from __future__ import annotations

import zipfile
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from avatars import uploads
from avatars.builder import AvatarBuilder
from avatars.bundles import bundle_folder
from avatars.models import AvatarBuild
from tests.avatars.filmed import finish, run_builder, upload
from tests.factories import Cast, api_client, error_of
from tests.inference.face.musetalk import foreign

pytestmark = pytest.mark.django_db


def zip_of(folder: Path, path: Path) -> SimpleUploadedFile:
    foreign.zipped(folder, path)
    return SimpleUploadedFile("avatar.zip", path.read_bytes())


@pytest.mark.long
def test_presenter_of_musetalk_is_taken_over_exported_and_taken_over_again(
    cast: Cast, tmp_path: Path, client: Any
) -> None:
    folder = foreign.write_folder(tmp_path / "old", there_and_back=True)
    upload(cast, file=zip_of(folder, tmp_path / "old.zip"), landmarks="")
    first = AvatarBuild.objects.get()
    run_builder(AvatarBuilder(), first, seconds=120)
    assert (first.state, first.reason) == ("ready", "")
    assert first.facts["frames"] == foreign.COUNT

    address = f"/api/v1/avatars/{first.avatar_id}/builds/{first.pk}/bundle/"
    exported = b"".join(api_client(cast.alice).get(address).streaming_content)
    client.force_login(cast.alice)
    from_admin = client.get(
        f"/admin/avatars/avatar/{first.avatar_id}/builds/{first.pk}/bundle/"
    ).streaming_content
    upload(cast, name="Mei 2", file=SimpleUploadedFile("a.zip", exported), landmarks="")
    second = AvatarBuild.objects.exclude(pk=first.pk).get()
    run_builder(AvatarBuilder(), second, seconds=120)

    assert (second.state, second.facts) == ("ready", first.facts)
    assert b"".join(from_admin)[:4] == exported[:4] == b"PK\3\4"
    assert api_client(cast.bob).get(address).status_code == 403
    assert api_client(cast.charlie).get(address).status_code == 404
    pictures = [(bundle_folder(b) / "frames.i420").read_bytes() for b in (first, second)]
    assert pictures[0] == pictures[1]


def test_zip_that_is_no_presenter_is_refused_in_words(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "hello.txt").write_text("hello")
    answer = upload(cast, file=zip_of(tmp_path / "old", tmp_path / "a.zip"), landmarks="")

    assert answer.status_code == 400
    [detail] = error_of(answer)["details"]
    assert (detail["field"], detail["code"]) == ("file", "bad_avatar_folder")
    assert not AvatarBuild.objects.exists()


def test_zip_whose_parts_do_not_fit_fails_in_the_build(cast: Cast, tmp_path: Path) -> None:
    folder = foreign.write_folder(tmp_path / "old", there_and_back=False)
    next(iter((folder / "mask").iterdir())).unlink()
    upload(cast, file=zip_of(folder, tmp_path / "a.zip"), landmarks="")
    build = AvatarBuild.objects.get()

    run_builder(AvatarBuilder(), build)

    assert build.state == "failed"
    assert "do not belong together" in build.reason
    assert not list((site.DATA_DIR / "bundles" / str(build.avatar_id)).iterdir())


@pytest.mark.usefixtures("unseen_uploads")
def test_version_that_is_not_there_has_no_zip(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    address = f"/api/v1/avatars/{build.avatar_id}/builds/{build.pk}/bundle/"

    assert api_client(cast.alice).get(address).status_code == 404


def test_command_takes_a_folder_of_any_size_and_writes_a_zip(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "UPLOAD_MAX_BYTES", 10)
    monkeypatch.setattr(AvatarBuilder, "look", lambda _: finish(AvatarBuild.objects.get()))
    folder = foreign.write_folder(tmp_path / "old", there_and_back=False)
    said = StringIO()

    call_command("import_avatar", cast.organization.name, "Mei", folder,
                 engine="musetalk_tiny", networks="v1", stdout=said)  # fmt: skip

    build = AvatarBuild.objects.get()
    assert f"Mei is ready: {build.avatar_id}" in said.getvalue()
    assert build.settings == {"version": "v1"}
    with zipfile.ZipFile(build.source.path) as archive:
        assert "full_imgs/00000000.png" in archive.namelist()
    call_command("export_avatar", build.avatar_id, tmp_path / "mei.zip", stdout=said)
    with zipfile.ZipFile(tmp_path / "mei.zip") as archive:
        assert sorted(archive.namelist()) == ["preview.mp4", "preview.png"]


def test_command_says_what_is_wrong(cast: Cast, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="no folder or file"):
        call_command("import_avatar", cast.organization.name, "Mei", tmp_path / "gone")
    with pytest.raises(CommandError, match="0 organizations"):
        call_command("import_avatar", "Nobody", "Mei", tmp_path)
    with pytest.raises(CommandError, match="no presenter"):
        call_command("export_avatar", cast.organization.pk, tmp_path / "a.zip")
