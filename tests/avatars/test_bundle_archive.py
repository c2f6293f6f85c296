"""Presenters that were built elsewhere: uploaded, taken in by a command, exported."""

from __future__ import annotations

import random
import zipfile
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command

from avatars import bundle_archive, uploads
from avatars.builder import AvatarBuilder
from avatars.bundles import bundle_folder
from avatars.models import AvatarBuild
from tests.avatars.filmed import finish, run_builder, upload
from tests.factories import Cast, api_client, error_of
from tests.inference.face.musetalk import foreign

pytestmark = pytest.mark.django_db
MIB = 2**20


def zip_of(folder: Path, path: Path) -> SimpleUploadedFile:
    foreign.zipped(folder, path)
    return SimpleUploadedFile("avatar.zip", path.read_bytes())


@async_to_sync
async def downloaded(answer: Any) -> bytes:
    return b"".join([piece async for piece in answer.streaming_content])


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
    exported = downloaded(api_client(cast.alice).get(address))
    client.force_login(cast.alice)
    from_admin = downloaded(
        client.get(f"/admin/avatars/avatar/{first.avatar_id}/builds/{first.pk}/bundle/")
    )
    upload(cast, name="Mei 2", file=SimpleUploadedFile("a.zip", exported), landmarks="")
    second = AvatarBuild.objects.exclude(pk=first.pk).get()
    run_builder(AvatarBuilder(), second, seconds=120)

    assert (second.state, second.facts) == ("ready", first.facts)
    assert from_admin[:4] == exported[:4] == b"PK\3\4"
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


def bundle_address(build: AvatarBuild) -> str:
    return f"/api/v1/avatars/{build.avatar_id}/builds/{build.pk}/bundle/"


def position_in(path: Path) -> int | None:
    """How far this process has read a file that it holds open; None = it holds it no more."""
    for descriptor in Path("/proc/self/fd").iterdir():
        if descriptor.exists() and descriptor.resolve() == path:
            info = Path("/proc/self/fdinfo", descriptor.name).read_text()
            return int(info.split("pos:")[1].split()[0])
    return None


@pytest.mark.usefixtures("unseen_uploads")
@pytest.mark.parametrize("door", ["api", "admin"])
def test_version_is_packed_while_it_is_read_and_kept_nowhere(
    cast: Cast, client: Any, door: str
) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    finish(build)
    pictures = (bundle_folder(build) / "frames.i420").resolve()
    with pictures.open("wb") as file:
        file.truncate(64 * MIB)
    kept = sorted(path.name for path in site.DATA_DIR.iterdir())
    client.force_login(cast.alice)
    addresses = {
        "api": bundle_address(build),
        "admin": f"/admin/avatars/avatar/{build.avatar_id}/builds/{build.pk}/bundle/",
    }
    answer = (api_client(cast.alice) if door == "api" else client).get(addresses[door])

    @async_to_sync
    async def hang_up_in_the_middle() -> int | None:
        pieces = aiter(answer.streaming_content)
        await anext(pieces)
        read = position_in(pictures)
        await pieces.aclose()
        return read

    assert 0 < (hang_up_in_the_middle() or 0) <= 4 * MIB
    bundle_archive._PACKER.submit(int).result()
    assert position_in(pictures) is None
    assert sorted(path.name for path in site.DATA_DIR.iterdir()) == kept


@pytest.mark.usefixtures("unseen_uploads")
def test_zip_of_a_version_holds_all_its_files(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()
    finish(build)
    noise = random.Random(0).randbytes(3 * MIB + 5)
    (bundle_folder(build) / "frames.i420").write_bytes(noise)

    answer = api_client(cast.alice).get(bundle_address(build))

    with zipfile.ZipFile(BytesIO(downloaded(answer))) as archive:
        assert archive.testzip() is None
        assert archive.read("frames.i420") == noise
        assert archive.namelist() == ["frames.i420", "preview.mp4", "preview.png"]
    assert answer["Content-Disposition"] == 'attachment; filename="presenter.zip"'


@pytest.mark.usefixtures("unseen_uploads")
def test_version_that_is_not_there_has_no_zip(cast: Cast) -> None:
    upload(cast)
    build = AvatarBuild.objects.get()

    assert api_client(cast.alice).get(bundle_address(build)).status_code == 404


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
