"""Bundles that are whole, and every way in which one may lie about itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.face.musetalk.bundle import BundleError, file_hash, open_bundle
from tests.inference.face.musetalk import films


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return films.write_bundle(tmp_path / "bundle")


def change(folder: Path, **values: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


HUGE = "{'descr': '<i4', 'fortran_order': False, 'shape': (18446744073709551616, 4)}\n"


def array(name: str, values: Any) -> Callable[[Path], None]:
    """Replace an array, and its size and hash in the manifest, as a forger would."""

    def forge(folder: Path) -> None:
        np.save(folder / name, values)
        declare(folder, name)

    return forge


def header(name: str, text: str) -> Callable[[Path], None]:
    """As `array`, with a header of any text."""

    def forge(folder: Path) -> None:
        begin = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little")
        (folder / name).write_bytes(begin + text.encode() + bytes(64))
        declare(folder, name)

    return forge


def declare(folder: Path, name: str) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    size = (folder / name).stat().st_size
    manifest["files"][name] = {"bytes": size, "sha256": file_hash(folder / name)}
    change(folder, files=manifest["files"])


def test_bundle_opens_and_is_mapped(folder: Path) -> None:
    bundle = open_bundle(folder, verify_hashes=True)

    assert isinstance(bundle.film.frames, np.memmap)
    assert not bundle.film.frames.flags.writeable
    np.testing.assert_array_equal(bundle.film.frames, films.make_frames(10))
    np.testing.assert_array_equal(bundle.film.mask(7), films.small_film().mask(7))
    assert bundle.latents.shape == (10, 8, 2, 2)
    assert len(bundle.digest) == 20


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"format": "zip"}, "not a face bundle"),
        ({"format_version": 2}, "version 2"),
        ({"width_px": 16_384, "height_px": 16_384}, "width_px"),
        ({"width_px": 4096, "height_px": 4096}, "4096x4096"),
        ({"width_px": 161}, "161x120"),
        ({"width_px": "160"}, "width_px"),
        ({"frames": 10**9}, "frames"),
        ({"frames": True}, "frames"),
        ({"frames": 9, "clips": [{"name": "idle", "first": 0, "count": 9}]}, "many bytes"),
        ({"frame_rate": 0}, "frame_rate"),
        ({"latent_px": 3}, "latents"),
        ({"clips": []}, "idle"),
        ({"clips": [{"name": "idle", "first": 5, "count": 6}]}, "last frame"),
        ({"clips": [{"name": "idle", "first": 0, "count": 10, "leave": 10}]}, "leave"),
        ({"clips": [{"name": "idle", "first": 0, "count": 9}] * 2}, "idle"),
        ({"files": {}}, "no others"),
        ({"clips": "idle"}, "manifest"),
    ],
)
def test_wrong_manifest_is_refused(folder: Path, values: dict[str, Any], words: str) -> None:
    change(folder, **values)

    with pytest.raises(BundleError, match=words):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "run.py", "frames.i420/../x"])
def test_manifest_that_names_other_files_is_refused(folder: Path, name: str) -> None:
    files = json.loads((folder / "manifest.json").read_text())["files"]
    change(folder, files=files | {name: {"bytes": 1, "sha256": "0" * 64}})

    with pytest.raises(BundleError, match="no others"):
        open_bundle(folder)


@pytest.mark.parametrize("raw", [b"", b"[]", b"{" * 100_000, b"\xff\xfe", b" " * (1 << 21)])
def test_manifest_that_is_none_is_refused(folder: Path, raw: bytes) -> None:
    (folder / "manifest.json").write_bytes(raw)

    with pytest.raises(BundleError):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["frames.i420", "boxes.npy", "masks.npy", "latents.npy"])
def test_missing_short_and_linked_files_are_refused(folder: Path, name: str) -> None:
    path = folder / name
    raw = path.read_bytes()
    path.write_bytes(raw[:-1])
    with pytest.raises(BundleError, match="bytes instead"):
        open_bundle(folder)
    path.unlink()
    with pytest.raises(BundleError, match="missing"):
        open_bundle(folder)
    (folder.parent / "elsewhere").write_bytes(raw)
    path.symlink_to(folder.parent / "elsewhere")
    with pytest.raises(BundleError, match="no plain file"):
        open_bundle(folder)


def test_altered_file_is_noticed_by_its_hash(folder: Path) -> None:
    path = folder / "frames.i420"
    raw = bytearray(path.read_bytes())
    raw[0] ^= 1
    path.write_bytes(raw)

    open_bundle(folder)
    with pytest.raises(BundleError, match="SHA-256"):
        open_bundle(folder, verify_hashes=True)


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (array("boxes.npy", np.full((10, 4), 200, np.int32)), "out of the picture"),
        (array("boxes.npy", np.zeros((10, 4), np.int32)), "out of the picture"),
        (array("boxes.npy", np.zeros((9, 4), np.int32)), "9 boxes"),
        (array("rois.npy", np.array([[41, 20, 80, 60]] * 10, np.int32)), "odd"),
        (array("rois.npy", np.array([[-2, 20, 80, 60]] * 10, np.int32)), "out of the picture"),
        (array("masks.npy", np.zeros(5, np.uint8)), "masks"),
        (array("boxes.npy", np.zeros((10, 4), np.float32)), "another kind"),
        (array("latents.npy", np.array([{"a": 1}], object)), "no array"),
        (header("boxes.npy", "(" * 3000), "no array"),
        (header("boxes.npy", "-" * 3000 + "1"), "no array"),
        (header("boxes.npy", HUGE), "no array"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    folder: Path, forge: Callable[[Path], None], words: str
) -> None:
    forge(folder)

    with pytest.raises(BundleError, match=words):
        open_bundle(folder, verify_hashes=True)


def test_no_bundle_is_said_without_its_path(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle in nowhere") as caught:
        open_bundle(tmp_path / "nowhere")

    assert str(tmp_path) not in str(caught.value)
