"""A presenter of one photo: uploaded through API and admin, built for real, shown."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.conf import settings as site
from django.core.files.uploadedfile import SimpleUploadedFile

from avatars.builder import AvatarBuilder
from avatars.bundles import engine_settings
from avatars.marks import MARKS
from avatars.models import AvatarBuild
from inference.catalog import get_engine
from inference.engines.base import FaceSetup
from inference.engines.face.musetalk import marks as builders_marks
from inference.engines.face.portrait.engine import create_engine
from tests.avatars.test_builds import admin_form
from tests.factories import Cast, api_client
from tests.inference.face.portrait import drawn

pytestmark = [pytest.mark.django_db, pytest.mark.database]

LEFT, WIDTH, HEIGHT = 480, 960, 720
# Of the 68 points, those that a host marks; the lids between two.
MARKED = (
    (36,), (39,), (37, 38), (40, 41), (42,), (45,), (43, 44), (46, 47), (30,), (48,), (54,), (51,),
    (62,), (57,), (8,), (4,), (12,),
)  # fmt: skip


def photo() -> SimpleUploadedFile:
    image = drawn.photo()[:HEIGHT, LEFT : LEFT + WIDTH]
    return SimpleUploadedFile("me.jpg", cv2.imencode(".jpg", image)[1].tobytes(), "image/jpeg")


def points() -> Any:
    return drawn.points() - np.array([LEFT, 0], np.float32)


def upload(cast: Cast, face: Any) -> AvatarBuild:
    document = drawn.landmarks((WIDTH, HEIGHT), face)
    file = SimpleUploadedFile("points.json", json.dumps(document).encode())
    form = {"name": "Me", "engine": "portrait", "file": photo(), "landmarks": file}
    answer = api_client(cast.alice).post("/api/v1/avatars/", form, format="multipart")
    assert answer.status_code == 201, answer.json()
    return AvatarBuild.objects.get()


def run_builder(build: AvatarBuild) -> None:
    builder, until = AvatarBuilder(), time.monotonic() + 120
    while not build.is_over:
        assert time.monotonic() < until
        builder.look()
        build.refresh_from_db()
        time.sleep(0.05)


def test_photo_becomes_a_presenter_that_speaks(cast: Cast) -> None:
    build = upload(cast, points())

    run_builder(build)

    assert build.state == "ready", build.reason
    avatar = build.avatar
    avatar.refresh_from_db()
    assert avatar.state == "ready"
    shown = api_client(cast.alice).get(f"/api/v1/avatars/{avatar.pk}/builds/").json()["results"]
    film = api_client(cast.alice).get(shown[0]["preview_url"])
    assert film.status_code == 200
    assert len(b"".join(film.streaming_content)) > 10_000
    settings = engine_settings(avatar)
    setup = FaceSetup(640, 360, 1920, "full", "studio", settings, str(site.CACHE_DIR))
    picture = np.zeros((540, 640), np.uint8)
    create_engine(setup).render(0, 0, picture)
    assert picture[:360].std() > 20


def test_portrait_shows_a_real_person_whose_consent_is_asked_for() -> None:
    assert get_engine("face", "portrait").needs_consent


def test_admin_takes_marks_instead_of_a_file(cast: Cast, client: Any) -> None:
    client.force_login(cast.alice)
    places = [points()[list(n)].mean(axis=0).tolist() for n in MARKED]
    marks = {"width_px": WIDTH, "height_px": HEIGHT, "points": places}
    form = admin_form(cast, engine="portrait", film=photo(), marks=json.dumps(marks))

    page = client.get("/admin/avatars/avatar/add/").content.decode()
    answer = client.post("/admin/avatars/avatar/add/", form)

    assert answer.status_code == 302
    assert "avatars/marks.js" in page
    assert "左眼外眼角" in page
    build = AvatarBuild.objects.get()
    document = json.loads(Path(build.landmarks.path).read_text())
    assert (document["width_px"], document["height_px"]) == (WIDTH, HEIGHT)
    assert document["frames"][0]["faces"] == [marks["points"]]


@pytest.mark.parametrize(
    "marks",
    [
        "no json",
        "[]",
        json.dumps({"width_px": WIDTH, "height_px": HEIGHT, "points": [[1, 2]] * 16}),
        json.dumps({"width_px": WIDTH, "height_px": 0, "points": [[1, 2]] * 17}),
        json.dumps({"width_px": WIDTH, "height_px": HEIGHT, "points": [[1, float("nan")]] * 17}),
        json.dumps({"width_px": WIDTH, "height_px": HEIGHT, "points": [[1, 2]] * 9000}),
    ],
)
def test_marks_that_cannot_be_read_are_refused(cast: Cast, client: Any, marks: str) -> None:
    client.force_login(cast.alice)
    form = admin_form(cast, engine="portrait", film=photo(), marks=marks)

    answer = client.post("/admin/avatars/avatar/add/", form)

    assert answer.status_code == 200
    assert "无法读取标记点" in answer.content.decode()
    assert not AvatarBuild.objects.exists()


def test_marks_of_the_form_are_those_of_the_builder() -> None:
    assert tuple(name for name, _, _ in MARKS) == builders_marks.MARKS
    at_first = np.array([at for _, _, at in MARKS]) * (800, 1000)
    assert np.isfinite(builders_marks.points_of_marks(at_first)).all()
