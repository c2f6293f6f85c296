"""What an avatar's engine loads: which files, whether they are here, under which licence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as site
from django.core.cache import cache

from avatars import weights
from avatars.models import Avatar
from avatars.weights import list_weights, names_of_weights
from inference.catalog import ENGINES
from inference.tool_client import ToolError
from tests.avatars.filmed import finish, upload
from tests.factories import Cast, api_client, make_cast

pytestmark = [pytest.mark.django_db, pytest.mark.database]


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    cache.delete(weights._CACHE_KEY)
    yield
    cache.delete(weights._CACHE_KEY)
    for folder in (site.MEDIA_ROOT, site.DATA_DIR / "bundles"):
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def cast() -> Cast:
    return make_cast()


def avatar_of(cast: Cast, engine: str, **settings: str) -> Avatar:
    return Avatar.objects.create(
        organization=cast.organization, name=engine, engine=engine, settings=settings
    )


def weights_at(cast: Cast, avatar: Avatar) -> dict[str, Any]:
    answer = api_client(cast.alice).get(f"/api/v1/avatars/{avatar.pk}/weights/")
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def file_at(path: str, state: str) -> dict[str, Any]:
    return {"path": path, "state": state, "source": "a", "licence": "MIT", "size_bytes": 1}


def test_answer_names_each_missing_file_and_its_licence(cast: Cast) -> None:
    body = weights_at(cast, avatar_of(cast, "wav2lip256"))

    (network,) = body["networks"]
    (file,) = network["files"]
    assert (body["state"], network["is_ready"]) == ("missing", False)
    assert (file["path"], file["state"]) == ("wav2lip/wav2lip256.pth", "missing")
    assert "forbid commercial use" in network["licence"]


def test_engine_that_draws_loads_nothing_and_starts_no_child(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "run_tool", lambda *args, **more: pytest.fail("a child"))

    body = weights_at(cast, avatar_of(cast, "puppet"))

    assert body == {"state": "none", "message": "", "networks": []}


def test_one_child_answers_for_all_avatars(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(weights, "list_weights", lambda: asked.append("child") or [])

    for engine in ("musetalk", "wav2lip256"):
        weights_at(cast, avatar_of(cast, engine))

    assert asked == ["child"]


def test_of_several_choices_the_one_is_told_of_which_most_is_there(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [
        file_at("a.json", "present"),
        file_at("a.bin", "wrong hash"),
        file_at("b.pt", "missing"),
    ]
    part = {
        "name": "Wav2Lip 256", "needed_for": "mouths", "ready": False, "files": files,
        "choices": [["b.pt", "a.bin"], ["a.json", "a.bin"]],
    }  # fmt: skip
    monkeypatch.setattr(weights, "list_weights", lambda: [part])

    (network,) = weights_at(cast, avatar_of(cast, "wav2lip256"))["networks"]

    told = [(file["path"], file["state"]) for file in network["files"]]
    assert told == [("a.json", "present"), ("a.bin", "wrong_hash")]


def test_answer_says_why_the_state_is_unknown(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ToolError("timed_out", "This took longer than 20 seconds.", retryable=True)

    monkeypatch.setattr(weights, "list_weights", fail)

    body = weights_at(cast, avatar_of(cast, "musetalk"))

    assert (body["state"], body["message"]) == ("unknown", "This took longer than 20 seconds.")


def test_settings_decide_which_networks_are_loaded(cast: Cast) -> None:
    usual = names_of_weights(avatar_of(cast, "musetalk"))
    other = names_of_weights(
        Avatar(engine="musetalk", settings={"version": "v1", "decoder": "tiny"})
    )

    assert usual == ["MuseTalk 1.5 UNet", "Stable Diffusion VAE (ft-MSE)", "Whisper tiny"]
    assert [name for name in other if name not in usual] == ["MuseTalk 1.0 UNet", "TAESD decoder"]
    assert "MuseTalk 1.5 UNet" not in other


def test_catalog_names_networks_that_are_listed() -> None:
    known = {part["name"] for part in list_weights(timeout_seconds=120)}

    named = {item.name for entry in ENGINES for item in entry.weights}

    assert named == known


@pytest.mark.usefixtures("unseen_uploads")
def test_list_tells_the_version_in_use_and_the_newest_build(cast: Cast) -> None:
    first = upload(cast).json()
    avatar = Avatar.objects.get(pk=first["id"])
    finish(avatar.builds.get())
    avatar.builds.create(number=2, engine=avatar.engine, state="failed", reason="Too dark.")
    client = api_client(cast.alice)

    rows = {row["name"]: row for row in client.get("/api/v1/avatars/").json()["results"]}

    row = rows["Mei"]
    newest = row["newest_build"]
    assert (first["version"], first["newest_build"]["state"]) == (None, "queued")
    assert (row["is_filmed"], row["version"]) == (True, 1)
    assert (newest["number"], newest["state"], newest["reason"]) == (2, "failed", "Too dark.")


@pytest.mark.parametrize(("engine", "needed"), [("portrait", True), ("musetalk_tiny", False)])
def test_presenter_says_whether_its_engine_asks_for_a_consent(
    cast: Cast, engine: str, needed: bool
) -> None:
    avatar = Avatar.objects.create(organization=cast.organization, name="Mei", engine=engine)

    row = api_client(cast.alice).get(f"/api/v1/avatars/{avatar.pk}/").json()

    assert row["needs_consent"] is needed


@pytest.mark.usefixtures("unseen_uploads")
def test_upload_takes_the_consent_of_the_person(cast: Cast) -> None:
    body = {"subject": "Mei", "scope": "face"}
    consent = api_client(cast.alice).post("/api/v1/consents/", body, format="json").json()["id"]

    made = upload(cast, consent=consent).json()
    refused = upload(cast, name="Other", consent="00000000-0000-4000-8000-000000000009")

    assert made["consent"] == consent
    assert refused.status_code == 400
    assert refused.json()["error"]["details"][0]["field"] == "consent"
