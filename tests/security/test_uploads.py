"""Hostile files through the API: refused with a code, or written anew; time and memory bounded."""

from __future__ import annotations

import io
import resource
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from PIL import Image

from inference.media.uploads import UploadError, rewrite_upload
from streams.models import Picture
from streams.services.pictures import PICTURE_MAX_BYTES
from tests.factories import Cast, api_client, error_of, make_cast
from tests.security.files import BYTES_OF_STRANGERS, REFUSED, REWRITTEN, damaged
from tests.streams.pictures import png_bytes

pytestmark = pytest.mark.django_db

MEMORY_MAX_KIB = 1200 * 1024
IN_FAST_TIER = ("900 megapixels", "HTML in a PNG", "SVG")


@pytest.fixture
def cast() -> Cast:
    cache.clear()
    return make_cast()


def upload(cast: Cast, content: bytes, name: str = "a.png", kind: str = "card") -> Any:
    form = {"kind": kind, "file": ContentFile(content, name)}
    return api_client(cast.alice).post("/api/v1/pictures/", form, format="multipart")


def bounded_upload(cast: Cast, content: bytes) -> Any:
    answer = upload(cast, content)
    assert b"took longer" not in answer.content  # the tool's own limit, of 30 seconds
    # Of all children so far: the largest bounds each.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < MEMORY_MAX_KIB
    return answer


def _tiers(names: Any) -> list[Any]:
    return [
        pytest.param(name, marks=() if name in IN_FAST_TIER else pytest.mark.long) for name in names
    ]


@pytest.mark.parametrize("name", _tiers(REFUSED))
def test_hostile_file_is_refused(cast: Cast, name: str) -> None:
    content = REFUSED[name]()
    assert len(content) <= PICTURE_MAX_BYTES, "refused for its weight alone"

    answer = bounded_upload(cast, content)

    assert answer.status_code == 400, answer.content
    [detail] = error_of(answer)["details"]
    assert detail["field"] == "file"
    assert not Picture.objects.exists()


@pytest.mark.parametrize("name", _tiers(REWRITTEN))
def test_what_comes_along_with_a_picture_is_left_behind(cast: Cast, name: str) -> None:
    content = REWRITTEN[name]()
    assert len(content) <= PICTURE_MAX_BYTES, "refused for its weight alone"

    answer = bounded_upload(cast, content)

    # A decoder may refuse such a file; if it takes it, what is kept is ours.
    if answer.status_code == 400:
        assert error_of(answer)["details"][0]["code"] == "picture_unreadable"
        return
    assert answer.status_code == 201, answer.content
    kept = Path(Picture.objects.get().file.path).read_bytes()
    assert not [mark for mark in BYTES_OF_STRANGERS if mark in kept]
    with Image.open(io.BytesIO(kept)) as picture:
        assert not {"exif", "icc_profile", "comment"} & set(picture.info)
    shown = api_client().get(answer.json()["image_url"])
    assert shown["Content-Type"] in ("image/png", "image/jpeg")
    assert shown["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("count", [60, pytest.param(3000, marks=pytest.mark.long)])
def test_damaged_picture_is_read_or_refused_and_nothing_else(tmp_path: Path, count: int) -> None:
    path = tmp_path / "picture"
    for content in damaged(count):
        path.write_bytes(content)
        try:
            facts, _, kept = rewrite_upload(path, "card").partition(b"\n")
        except UploadError:
            continue
        assert facts.startswith(b'{"format"')
        assert kept


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "a\x00.png", 'a"; filename="b.svg', "a\r\nX-Owned: 1.png", "\u202egnp.exe",
     "x" * 500, "", ".", "CON", "<script>.png", "a/b\\c.png"],
)  # fmt: skip
def test_name_of_a_file_is_a_name_and_no_path(
    cast: Cast, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.permissions.stand_ins import put_stand_ins

    put_stand_ins(monkeypatch)

    answer = upload(cast, png_bytes(), name)

    assert answer.status_code in (201, 400), answer.content
    for picture in Picture.objects.all():
        assert Path(picture.file.path).parent.name == "pictures"
        assert "/" not in picture.name
        assert "\r" not in picture.name
        assert len(picture.name) <= 100


FORMS: dict[str, tuple[str, bytes]] = {
    "no boundary": ("multipart/form-data", b"x"),
    "empty boundary": ("multipart/form-data; boundary=", b"x"),
    "long boundary": (f"multipart/form-data; boundary={'b' * 500}", b"x"),
    "never ends": ("multipart/form-data; boundary=b", b"--b\r\n" * 1000),
    "many fields": ("multipart/form-data; boundary=b", b"".join(
        b'--b\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nx\r\n' % n for n in range(2000)
    ) + b"--b--\r\n"),
    "text for a file": ("multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nx\r\n--b--\r\n'),
    "wrong base64": ("multipart/form-data; boundary=b",
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n'
        b"Content-Transfer-Encoding: base64\r\n\r\n!\r\n--b--\r\n"),
    "JSON": ("application/json", b'{"file": "x", "kind": "card"}'),
    "XML": ("application/xml", b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>'),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_form_that_is_none_is_refused(cast: Cast, name: str) -> None:
    content_type, body = FORMS[name]

    client = api_client(cast.alice)
    answer = client.generic("POST", "/api/v1/pictures/", body, content_type=content_type)

    assert answer.status_code in (400, 413, 415), answer.content
    assert error_of(answer)["code"]


def test_child_that_decodes_sees_no_secret(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a picture makes the decoder do, keys and passwords are not in its environment."""
    import subprocess

    seen: dict[str, str] = {}
    real = subprocess.run

    def note(*args: Any, **options: Any) -> Any:
        seen.update(options["env"])
        return real(*args, **options)

    for name in ("SECRET_KEY", "FIELD_KEYS", "DATABASE_URL", "REDIS_URL", "EMAIL_URL"):
        monkeypatch.setenv(name, "canary")
    monkeypatch.setattr(subprocess, "run", note)

    assert upload(cast, png_bytes()).status_code == 201
    assert seen
    assert "canary" not in seen.values()
