"""What no build could take is refused with the upload, in the reader's language, by a real look."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile

from avatars import uploads
from avatars.models import Avatar, AvatarBuild
from inference.tool_client import ToolError
from tests.avatars.filmed import upload
from tests.avatars.test_builds import admin_form
from tests.factories import Cast, api_client, error_of, make_cast
from tests.inference.face.portrait import drawn
from tests.security import films
from tests.security.files import grey, png

pytestmark = pytest.mark.django_db

LEFT, WIDTH, HEIGHT = 480, 960, 720


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def photo(image: Any = None, kind: str = ".jpg") -> bytes:
    if image is None:
        image = drawn.photo()[:HEIGHT, LEFT : LEFT + WIDTH]
    written: bytes = cv2.imencode(kind, image)[1].tobytes()
    return written


def face() -> Any:
    return drawn.points() - np.array([LEFT, 0], np.float32)


def points(*faces: Any, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    document = drawn.landmarks(size, face())
    document["frames"][0]["faces"] = [np.asarray(each).tolist() for each in faces]
    return json.dumps(document).encode()


def agape() -> Any:
    found = face()
    found[65:68, 1] += 14
    return found


def packed(names: dict[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)
    return written.getvalue()


def cut(content: bytes, share: float) -> bytes:
    return content[: int(len(content) * share)]


# Engine, file, face points, and the code and field of what is answered.
HOSTILE: dict[str, tuple[str, Any, Any, str, str]] = {
    "text": ("portrait", lambda: b"hello" * 99, None, "footage_unknown", "file"),
    "HEIC": ("portrait", lambda: b"\0\0\0\x18ftypheic" + bytes(99), None, "photo_unknown", "file"),
    "half a photo": (
        "portrait", lambda: cut(photo(), 0.5), lambda: points(face()), "picture_unreadable", "file"
    ),
    "256 megapixels": (
        "portrait", lambda: png(16_000, 16_000, grey()), lambda: points(face()),
        "picture_too_large", "file",
    ),
    "a stamp": (
        "portrait", lambda: photo(np.zeros((100, 100, 3), np.uint8)), lambda: points(face()),
        "footage_too_small", "file",
    ),
    "a film as a photo": (
        "portrait", films.film, lambda: points(face()), "not_a_photo", "file"
    ),
    "nobody, and no points": (
        "portrait", lambda: photo(np.full((HEIGHT, WIDTH, 3), 120, np.uint8)), None,
        "no_face", "file",
    ),
    "points that are none": ("portrait", photo, lambda: b"{}", "bad_landmarks", "landmarks"),
    "nobody": ("portrait", photo, points, "no_face", "file"),
    "two people": ("portrait", photo, lambda: points(face(), face()), "two_faces", "file"),
    "points of another picture": (
        "portrait", photo, lambda: points(face(), size=(500, 900)),
        "landmarks_of_another_picture", "landmarks",
    ),
    "an open mouth": ("portrait", photo, lambda: points(agape()), "mouth_open", "file"),
    "a dark room": (
        "portrait", lambda: photo(np.full((HEIGHT, WIDTH, 3), 9, np.uint8)),
        lambda: points(face()), "too_dark", "file",
    ),
    "half a film": (
        "musetalk_tiny", lambda: cut(films.film(), 0.5), lambda: points(face()),
        "footage_damaged", "file",
    ),
    "sound only": (
        "musetalk_tiny", films.sound_only, lambda: points(face()), "no_picture", "file"
    ),
    "16 megapixels": (
        "musetalk_tiny", lambda: films.film(2, (4608, 3456)), lambda: points(face()),
        "footage_too_large", "file",
    ),
    "40 seconds": (
        "musetalk_tiny", lambda: films.film(1000, (256, 256)), lambda: points(face()),
        "footage_too_long", "file",
    ),
    "a film of two people": (
        "musetalk_tiny", films.film, lambda: points(face(), face()), "two_faces", "file"
    ),
    "zip slip": (
        "musetalk_tiny", lambda: packed({"../../latents.pt": b"x"}), None, "bad_archive", "file"
    ),
    "half a zip": (
        "musetalk_tiny", lambda: cut(packed({"latents.pt": bytes(999)}), 0.5), None,
        "bad_archive", "file",
    ),
    "holiday photos": (
        "musetalk_tiny", lambda: packed({"beach.jpg": photo()}), None, "bad_avatar_folder", "file"
    ),
}  # fmt: skip
_TOLD_IN_FAST_TIER = ("text", "256 megapixels", "two people", "half a film", "zip slip")


def form_of(name: str) -> dict[str, Any]:
    engine, make, make_points, _, _ = HOSTILE[name]
    # A name that says nothing true.
    form = {"engine": engine, "file": SimpleUploadedFile("me.mp4", make()), "landmarks": ""}
    if make_points is not None:
        form["landmarks"] = SimpleUploadedFile("points.json", make_points())
    return form


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in _TOLD_IN_FAST_TIER else pytest.mark.long)
        for name in HOSTILE
    ],
)
def test_hostile_or_unsuitable_upload_is_refused_at_once(cast: Cast, name: str) -> None:
    answer = upload(cast, **form_of(name))

    assert answer.status_code == 400, answer.content
    [detail] = error_of(answer)["details"]
    assert (detail["code"], detail["field"]) == HOSTILE[name][3:]
    assert not Avatar.objects.filter(name="Mei").exists()
    assert not list(Path(site.MEDIA_ROOT).rglob("avatar-uploads/*"))


def test_photo_is_taken_without_face_points(cast: Cast) -> None:
    answer = upload(
        cast, engine="portrait", file=SimpleUploadedFile("me.jpg", photo()), landmarks=""
    )

    assert answer.status_code == 201, answer.content
    assert not AvatarBuild.objects.get().landmarks


def test_refusal_is_told_in_the_language_of_the_reader(cast: Cast, client: Any) -> None:
    client.force_login(cast.alice)
    form = {**form_of("two people"), "name": "Mei"}
    in_admin = {**form_of("two people"), "film": SimpleUploadedFile("me.jpg", photo())}

    chinese = api_client(cast.alice).post(
        "/api/v1/avatars/", form, format="multipart", headers={"Accept-Language": "zh-CN"}
    )
    page = client.post(
        "/admin/avatars/avatar/add/", admin_form(cast, **in_admin),
        headers={"Accept-Language": "zh-CN"},
    )  # fmt: skip

    assert "中有多张脸" in error_of(chinese)["details"][0]["message"]
    assert page.status_code == 200
    assert "中有多张脸" in page.content.decode()
    assert not AvatarBuild.objects.exists()


def test_good_photo_film_and_version_go_to_the_build(cast: Cast) -> None:
    good = {"landmarks": SimpleUploadedFile("points.json", points(face()))}
    film = SimpleUploadedFile("me.mp4", films.film())

    first = upload(cast, engine="portrait", file=SimpleUploadedFile("me.jpg", photo()), **good)
    good["landmarks"].seek(0)
    second = upload(cast, name="Filmed", file=film, **good)

    assert (first.status_code, second.status_code) == (201, 201), (first.content, second.content)
    kept = AvatarBuild.objects.get(avatar__name="Mei")
    assert Path(kept.source.path).read_bytes() == photo()


@pytest.mark.parametrize("code", ["busy", "timed_out"])
def test_where_there_is_no_time_to_look_the_build_does(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    def refuse(*_: Any, **__: Any) -> bytes:
        raise ToolError(code, "Try again soon.", retryable=True)

    monkeypatch.setattr(uploads, "run_tool", refuse)

    assert upload(cast, **form_of("text")).status_code == 201
