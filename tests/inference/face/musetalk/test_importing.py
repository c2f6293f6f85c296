"""Avatars that were built elsewhere: taken over exactly, or refused with the reason."""

from __future__ import annotations

import io
import os
import pickle
import stat
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from inference.engines.base import EngineError
from inference.engines.face import archives, avatar_build
from inference.engines.face.archives import unpack_archive
from inference.engines.face.avatar_build import BuildRequest, build_avatar
from inference.engines.face.musetalk.bundle import Bundle, open_bundle, write_manifest
from inference.engines.face.musetalk.pickles import read_boxes
from tests.inference.face.musetalk import films, foreign
from tests.inference.face.musetalk.foreign import BOXES, COUNT, write_folder, zipped

ENGINE = "musetalk_tiny"


@pytest.fixture(autouse=True)
def _no_preview_film(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes seconds, and test_build makes one."""
    monkeypatch.setattr(avatar_build, "write_preview_film", lambda *_: None)


def take(source: Path, *, engine: str = ENGINE, settings: Any = None) -> Bundle:
    """What the job makes of an upload."""
    folder = source.parent
    request = BuildRequest(
        engine, settings or {}, source, None, folder / "bundles" / "made", folder / "cache", {}
    )
    build_avatar(request, lambda *_: None)
    return open_bundle(request.out, verify_hashes=True)


def refusal(source: Path, **changes: Any) -> EngineError:
    """Why the job refuses an upload; nothing of it is left."""
    with pytest.raises(EngineError) as caught:
        take(source, **changes)
    assert list((source.parent / "bundles").iterdir()) == []
    assert not caught.value.retryable
    return caught.value


@pytest.mark.parametrize("inside", ["", "avatar1"])
@pytest.mark.parametrize("numpy", [False, True])
@pytest.mark.parametrize("there_and_back", [False, True])
def test_folders_of_musetalk_and_livetalking_are_taken_exactly(
    tmp_path: Path, there_and_back: bool, numpy: bool, inside: str
) -> None:
    folder = write_folder(tmp_path / "old", there_and_back=there_and_back, numpy=numpy)

    bundle = take(zipped(folder, tmp_path / "old.zip", inside=inside), settings={"version": "v1"})

    manifest = bundle.manifest
    assert (manifest.frames, manifest.width_px, manifest.height_px) == (COUNT, 160, 120)
    # MuseTalk says which version it is of; for LiveTalking the presenter's settings say it.
    assert manifest.version == ("v1.5" if there_and_back else "v1")
    np.testing.assert_array_equal(bundle.film.boxes, BOXES)
    for number in range(COUNT):
        np.testing.assert_array_equal(bundle.latents[number], foreign.latents(number)[0])
        expected = foreign.picture(number)[:120, :160]
        expected = cv2.cvtColor(np.ascontiguousarray(expected), cv2.COLOR_BGR2YUV_I420)
        np.testing.assert_array_equal(bundle.film.frames[number], expected)
        _same_mask(bundle, number)
    assert not [*bundle.folder.glob("*.pkl"), *bundle.folder.glob("*.pt")]


def _same_mask(bundle: Bundle, number: int) -> None:
    """Of the whole picture: the mask where it lies, cut at the face's box as pasting does."""
    x0, y0, x1, y1 = foreign.geometry.crop_box(BOXES[number])
    before, after = (np.zeros((300, 300), np.uint8) for _ in range(2))
    before[y0 + 80 : y1 + 80, x0 + 80 : x1 + 80] = foreign.mask(number)
    left, top, right, bottom = (v + 80 for v in BOXES[number])
    inside = np.zeros_like(before)
    inside[top:bottom, left:right] = before[top:bottom, left:right]
    x0, y0, x1, y1 = (bundle.film.rois[number] + 80).tolist()
    after[y0:y1, x0:x1] = bundle.film.mask(number)
    np.testing.assert_array_equal(after, inside)


def test_bundle_is_moved_as_a_zip(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "old", there_and_back=False)
    first = take(zipped(folder, tmp_path / "old.zip"))
    (tmp_path / "b").mkdir()

    second = take(zipped(first.folder, tmp_path / "b" / "moved.zip"))

    np.testing.assert_array_equal(second.film.frames, first.film.frames)
    np.testing.assert_array_equal(second.latents, first.latents)
    assert second.manifest.clips == first.manifest.clips


def test_bundle_for_another_engine_is_refused(tmp_path: Path) -> None:
    bundle = films.write_bundle(tmp_path / "bundle")
    source = zipped(bundle, tmp_path / "a.zip")

    assert "built for musetalk_tiny, not musetalk" in refusal(source, engine="musetalk").message
    # Of the right engine, with latents of another size than its networks take.
    assert refusal(source).code == "bad_bundle"


def test_altered_bundle_is_refused(tmp_path: Path) -> None:
    bundle = films.write_bundle(tmp_path / "bundle")
    raw = bytearray((bundle / "frames.i420").read_bytes())
    raw[7] ^= 1
    (bundle / "frames.i420").write_bytes(raw)

    assert "SHA-256" in refusal(zipped(bundle, tmp_path / "a.zip")).message


# --- archives


def _entry(name: str, *, mode: int = 0, flags: int = 0, text: bytes = b"x") -> bytes:
    """A zip with one entry that lies about itself."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, text)
    changed = bytearray(raw.getvalue())
    changed[raw.getvalue().index(b"PK\1\2") + 8] |= flags
    return bytes(changed)


def _entries(*names: str) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return raw.getvalue()


def _bomb() -> bytes:
    """8 GiB of zeros by its headers, 2 kB in truth."""
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(2):
            archive.writestr(f"full_imgs/{number}.png", b"\0" * (1 << 20))
    changed, at = bytearray(raw.getvalue()), 0
    while (at := changed.find(b"PK\1\2", at + 1)) > 0:
        struct.pack_into("<I", changed, at + 24, 0xFFFF_FFFE)
    return bytes(changed)


def _longer_than_it_says() -> bytes:
    raw = bytearray(_entry("full_imgs/00000000.png", text=b"\0" * 4096))
    for mark, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        struct.pack_into("<I", raw, raw.index(mark) + at, 16)
    return bytes(raw)


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (_entry("../outside.txt"), "outside of itself"),
        (_entry("a/../../outside.txt"), "outside of itself"),
        (_entry("/outside.txt"), "outside of itself"),
        (_entry("C:/outside.txt"), "outside of itself"),
        (_entry("a\\..\\..\\outside.txt"), "outside of itself"),
        (_entry("a" * 300), "outside of itself"),
        (_entry("link", mode=stat.S_IFLNK | 0o777, text=b"/etc/passwd"), "link"),
        (_entry("pipe", mode=stat.S_IFIFO | 0o600), "link or no plain file"),
        (_entry("a", flags=1), "password"),
        (_bomb(), "GiB"),
        (_longer_than_it_says(), "damaged|longer"),
        (_entries("coords.pkl", "COORDS.pkl"), "same name"),
        (_entries("coords.pkl", "./coords.pkl"), "same name"),
        (_entries("coords", "COORDS/a"), "a file and a folder at once"),
        (_entries("a/b/c", "a/b"), "a file and a folder at once"),
        (_entry("."), "a file and a folder at once"),
        (_entry("hello.txt"), "no avatar in the archive"),
        (_entries("face_imgs/0.png", "full_imgs/0.png"), "Wav2Lip"),
        (_entry("hello.txt")[:-9], "damaged"),
        (b"PK\x03\x04" + os.urandom(400), "damaged"),
    ],
)  # fmt: skip
def test_hostile_archives_are_refused_and_leave_nothing(
    tmp_path: Path, raw: bytes, words: str
) -> None:
    source = tmp_path / "in" / "a.zip"
    source.parent.mkdir()
    source.write_bytes(raw)

    error = refusal(source)

    assert any(word in error.message for word in words.split("|")), error.message
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "bundles", "in"]


def test_archive_of_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "MAX_FILES", 3)
    folder = write_folder(tmp_path / "old", there_and_back=False)

    assert "files" in refusal(zipped(folder, tmp_path / "a.zip")).message


def test_archive_that_does_not_fit_on_the_disk_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_SPARE_BYTES", 1 << 60)
    folder = write_folder(tmp_path / "old", there_and_back=False)

    with pytest.raises(EngineError) as caught:
        unpack_archive(zipped(folder, tmp_path / "a.zip"), tmp_path)

    assert caught.value.code == "disk_failed"


# --- folders


class _Trap:
    def __init__(self, folder: str = "trapped") -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (self.folder,)


def _pickled(value: Any) -> Callable[[Path], None]:
    return lambda folder: (folder / "coords.pkl").write_bytes(pickle.dumps(value)) and None


def _raw(raw: bytes, name: str = "coords.pkl") -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(raw) and None


def _saved(value: Any) -> Callable[[Path], None]:
    return lambda folder: torch.save(value, folder / "latents.pt")


def _cut(name: str) -> Callable[[Path], None]:
    def cut(folder: Path) -> None:
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[: len(raw) // 2])

    return cut


def _gone(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _image(name: str, width: int, height: int) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        blank = np.zeros((height, width), np.uint8)
        (folder / name).write_bytes(cv2.imencode(".png", blank)[1].tobytes())

    return write


REPEATED = torch.zeros(1, dtype=torch.half).expand(1, 8, 128, 128)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_pickled([_Trap()]), "run posix.mkdir"),
        (_pickled([(1, 2, 3, _Trap())]), "run posix.mkdir"),
        (_pickled(OrderedDict()), "run collections.OrderedDict"),
        (_raw(b"cos\nsystem\n(S'touch trapped'\ntR."), "run os.system"),
        (_raw(b"cbuiltins\neval\n(S'1'\ntR."), "run builtins.eval"),
        (_raw(b"cnumpy\nload\n(S'x'\ntR."), "run numpy.load"),
        (_raw(b"\x80\x04]r\xff\xff\xff\x7f."), "places that do not exist"),
        (_raw(b"\x80\x04\x82\x01."), "EXT1"),
        (_raw(b"(S'a'\nios\nsystem\n."), "INST"),
        (_pickled({"a": 1}), "instruction EMPTY_DICT"),
        (_pickled("boxes"), "no list of boxes"),
        (_pickled([(1, 2, 3)]), "no list of boxes"),
        (_pickled([("1", "2", "3", "4")]), "no list of boxes"),
        (_pickled([(0.5, 1, 2, 3)] * COUNT), "no whole numbers"),
        (_pickled([(float("nan"), 1, 2, 3)] * COUNT), "no whole numbers"),
        (_pickled([(2**70, 1, 2, 3)] * COUNT), "no whole numbers"),
        (_pickled([(10**400, 1, 2, 3)] * COUNT), "damaged"),
        (_pickled([BOXES[0]] * 20_001), "no list of boxes"),
        (_pickled([(0.0, 0.0, 0.0, 0.0)] * COUNT), "No face"),
        (_pickled([*BOXES[:-1], (0.0, 0.0, 0.0, 0.0)]), "box of picture 4"),
        (_pickled([(40, 20, 400, 100)] * COUNT), "reaches out"),
        (_pickled(BOXES[:-1]), "4 boxes"),
        (_raw(b""), "damaged"),
        (_raw(b"\x80\x04" + b"\x95" + b"\xff" * 8), "damaged"),
        (_cut("coords.pkl"), "damaged"),
        (_gone("coords.pkl"), "coords.pkl is missing"),
        (_cut("latents.pt"), "latents.pt is damaged"),
        (_saved([_Trap()]), "code beside its numbers"),
        (_saved({"a": torch.zeros(1)}), "damaged"),
        (_saved([]), "0 latents"),
        (_saved([torch.zeros(1, 8, 8, 8)] * 4), "4 latents"),
        (_saved([torch.zeros(1, 4, 8, 8)] * COUNT), "else than latents"),
        (_saved([torch.zeros(1, 8, 8, 8).int()] * COUNT), "else than latents"),
        (_saved([torch.zeros(1, 8, 8, 8, device="meta")] * COUNT), "else than latents"),
        (_saved([torch.ones(1, 8, 8, 8).to_sparse()] * COUNT), "else than latents"),
        (_saved([torch.full((1, 8, 8, 8), float("nan"))] * COUNT), "no numbers"),
        (_saved([torch.zeros(1, 8, 32, 32)] * COUNT), "side of 32"),
        (_saved([REPEATED] * 5000), "GiB"),
        (_gone("full_imgs/00000002.png"), "4 pictures"),
        (_gone("mask/00000002.png"), "4 masks"),
        (_raw(b"x", "full_imgs/first.png"), "numbered"),
        (_raw(b"\x89PNG\r\n\x1a\n", "full_imgs/00000002.png"), "no whole PNG"),
        (_cut("full_imgs/00000002.png"), "no whole PNG"),
        (_image("full_imgs/00000000.png", 16_384, 16_384), "4096x2304"),
        (_image("full_imgs/00000002.png", 90, 70), "another size"),
        (_image("mask/00000002.png", 16_384, 16_384), "4096x2304"),
        (_image("mask/00000002.png", 90, 70), "size of its crop"),
    ],
)  # fmt: skip
def test_hostile_folders_are_refused_by_name_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = write_folder(tmp_path / "old", there_and_back=False)
    damage(folder)

    error = refusal(zipped(folder, tmp_path / "a.zip"))

    assert words in error.message, error.message
    assert not (tmp_path / "trapped").exists()


def test_latents_that_were_saved_for_training_are_taken(tmp_path: Path) -> None:
    """Tensors remember whether gradients were asked of them, and in which numbers they were."""
    folder = write_folder(tmp_path / "old", there_and_back=False)
    values = [torch.full((1, 8, 8, 8), k / 4, dtype=torch.double) for k in range(COUNT)]
    torch.save([value.requires_grad_() for value in values], folder / "latents.pt")

    bundle = take(zipped(folder, tmp_path / "a.zip"))

    assert bundle.latents[:, 0, 0, 0].tolist() == [k / 4 for k in range(COUNT)]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_boxes_are_read_from_every_protocol(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "coords.pkl"
    boxes = [(1, 2, 3, 4), [5, 6, 7, 8], (9.0, 10.0, 11.0, 12.0)]
    mixed = [*boxes, (np.int32(1), np.int64(2), np.float32(3), np.float64(4)), np.arange(4)]
    path.write_bytes(pickle.dumps(mixed, protocol))

    assert read_boxes(path) == [*(tuple(box) for box in boxes), (1, 2, 3, 4), (0, 1, 2, 3)]


def test_pickle_with_wrong_bytes_is_read_or_refused(tmp_path: Path) -> None:
    path, chance = tmp_path / "coords.pkl", np.random.default_rng(1)
    whole = np.frombuffer(pickle.dumps([np.arange(4)] * 3 + BOXES), np.uint8)
    refused = 0
    for _ in range(400):
        damaged = whole.copy()
        damaged[chance.integers(0, len(whole), 4)] = chance.integers(0, 256, 4)
        path.write_bytes(damaged[: chance.integers(len(whole) // 2, len(whole) + 1)].tobytes())
        try:
            read_boxes(path)
        except EngineError:
            refused += 1

    assert refused > 300


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """A bundle as `export_avatar` packs it."""
    folder = write_folder(tmp_path / "old", there_and_back=False)
    made = take(zipped(folder, tmp_path / "old.zip"))
    return made.folder.rename(tmp_path / "exported")


def test_bundle_of_a_build_that_was_lost_at_its_end_is_replaced(exported: Path) -> None:
    lost = exported.parent / "bundles" / "made"
    lost.mkdir()
    (lost / "frames.i420").write_bytes(b"of the attempt before")

    bundle = take(zipped(exported, exported.parent / "exported.zip"))

    assert bundle.manifest.frames == COUNT


def test_bundle_whose_masks_lie_beside_its_faces_is_refused(exported: Path) -> None:
    manifest = open_bundle(exported).manifest
    np.save(exported / "rois.npy", np.array([[0, 0, 2, 2]] * COUNT, np.int32))
    np.save(exported / "masks.npy", np.full(4 * COUNT, 255, np.uint8))
    write_manifest(exported, manifest)

    error = refusal(zipped(exported, exported.parent / "exported.zip"))

    assert error.message == "its masks lie beside its faces."


def test_bundle_whose_latents_are_of_larger_faces_is_refused(exported: Path) -> None:
    manifest = open_bundle(exported).manifest
    side = 2 * manifest.latent_px
    np.save(exported / "latents.npy", np.zeros((COUNT, 8, side, side), np.float16))
    write_manifest(exported, replace(manifest, latent_px=side))

    error = refusal(zipped(exported, exported.parent / "exported.zip"))

    assert error.message == f"Its latents have a side of {side}; those of {ENGINE} {side // 2}."


def test_presenter_of_wav2lip_is_taken_over_and_one_of_musetalk_is_not_for_it(
    exported: Path,
) -> None:
    folder = exported.parent
    musetalk = zipped(folder / "old", folder / "musetalk.zip")
    manifest = open_bundle(exported).manifest
    (exported / "latents.npy").unlink()
    np.save(exported / "faces.npy", np.zeros((COUNT, 256, 256, 3), np.uint8))
    made = replace(manifest, engine="wav2lip256", face_px=256, latent_px=0)
    write_manifest(exported, made)

    error = refusal(musetalk, engine="wav2lip256")
    bundle = take(zipped(exported, folder / "exported.zip"), engine="wav2lip256")

    assert error.message == archives.NO_AVATAR
    assert bundle.faces.shape == (COUNT, 256, 256, 3)
