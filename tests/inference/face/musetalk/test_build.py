"""From an upload to a bundle, and every upload that cannot become one."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from inference.engines.base import EngineError, Json
from inference.engines.face.musetalk.building import Footage, build_bundle
from inference.engines.face.musetalk.bundle import open_bundle
from inference.media.footage import FootageUnreadableError, extract_footage
from tests.inference.face.musetalk import portrait

ENGINE = "musetalk_tiny"
COUNT = 8


@pytest.fixture(autouse=True)
def _test_engines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_ENGINES", "1")


class Progress:
    def __init__(self) -> None:
        self.told: list[tuple[int, str, str]] = []

    def __call__(self, percent: int, stage: str, message: str) -> None:
        self.told.append((percent, stage, message))


def build(
    folder: Path,
    *,
    frames: Any = None,
    landmarks: Json | None = None,
    options: Json | None = None,
    settings: Json | None = None,
) -> Progress:
    """Build of decoded pictures; no preview."""
    pictures = portrait.pictures(COUNT) if frames is None else frames
    (folder / "frames.i420").write_bytes(pictures.tobytes())
    path = folder / "landmarks.json"
    path.write_text(json.dumps(portrait.landmarks(0.4) if landmarks is None else landmarks))
    progress = Progress()
    build_bundle(
        folder, Footage(pictures, 25, path), ENGINE, settings or {}, options or {}, progress
    )
    path.unlink()
    return progress


def test_bundle_of_the_drawn_presenter(tmp_path: Path) -> None:
    progress = build(tmp_path, options={})

    bundle = open_bundle(tmp_path, verify_hashes=True)
    percents = [percent for percent, _, _ in progress.told]
    assert percents == sorted(percents)
    assert bundle.manifest.frames == COUNT
    assert bundle.manifest.face_px == 64
    assert bundle.latents.shape == (COUNT, 8, 8, 8)
    assert np.abs(np.asarray(bundle.latents, np.float32)).max() > 0.01
    # The mask lies on the mouth, and not on the eyes.
    mouth, eye = portrait.points()[62], portrait.points()[37]
    x0, y0, x1, y1 = bundle.film.rois[0].tolist()
    assert bundle.film.mask(0)[int(mouth[1]) - y0, int(mouth[0]) - x0] == 255
    assert y0 > eye[1]
    assert not list(tmp_path.glob("*.pkl"))


def test_latents_are_the_most_likely_ones_and_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        build(tmp_path / name)

    first, second = (open_bundle(tmp_path / name).latents for name in ("a", "b"))
    np.testing.assert_array_equal(first, second)


def test_v1_moves_the_box_and_v15_does_not(tmp_path: Path) -> None:
    boxes = {}
    for version, shift in (("v1", 0), ("v1", 9), ("v1.5", 9)):
        folder = tmp_path / f"{version}-{shift}"
        folder.mkdir()
        build(folder, settings={"version": version}, options={"bbox_shift": shift})
        boxes[version, shift] = open_bundle(folder).film.boxes[0].tolist()

    assert boxes["v1", 9][1] == boxes["v1", 0][1] + 18
    assert boxes["v1.5", 9] == [*boxes["v1", 0][:3], boxes["v1", 0][3] + 10]


def test_clips_of_one_take_are_entered_behind_the_idle_part(tmp_path: Path) -> None:
    clip = {"name": "wave", "from_seconds": 0.2, "to_seconds": 0.32}
    build(tmp_path, options={"clips": [clip]})

    idle, wave = open_bundle(tmp_path).manifest.clips
    assert (idle.first, idle.count) == (0, 5)
    assert (wave.name, wave.first, wave.count, wave.enter) == ("wave", 5, 3, 4)


def test_idle_part_that_ends_with_an_open_mouth_is_refused(tmp_path: Path) -> None:
    """It is what goes to and fro; the film ends with the clip."""
    document = portrait.landmarks(0.4)
    closed = document["frames"][0]["faces"]
    opened = [open_mouth(np.array(closed[0])).tolist()]
    document["frames"] = [
        {"at_seconds": number / 25, "faces": opened if number == 4 else closed}
        for number in range(COUNT)
    ]
    clip = {"name": "wave", "from_seconds": 0.2, "to_seconds": 0.32}

    with pytest.raises(EngineError) as caught:
        build(tmp_path, landmarks=document, options={"clips": [clip]})

    assert caught.value.code == "mouth_open_at_ends"


def without_faces(share: float) -> Json:
    document = portrait.landmarks(4.0)
    for look in document["frames"][: round(len(document["frames"]) * share)]:
        look["faces"] = []
    return document


def two_faces() -> Json:
    document = portrait.landmarks(0.4)
    document["frames"][1]["faces"] *= 2
    return document


def moved(transform: Callable[[Any], Any], only: slice = slice(None)) -> Json:
    document = portrait.landmarks(0.4)
    for look in document["frames"][only]:
        look["faces"] = [transform(np.array(look["faces"][0])).tolist()]
    return document


def open_mouth(points: Any) -> Any:
    opened = points.copy()
    opened[[65, 66, 67], 1] += 20
    return opened


def jumping() -> Json:
    document = moved(lambda points: points + [70, 0], slice(1, None))
    for number, look in enumerate(document["frames"]):
        look["at_seconds"] = number / 25
    return document


@pytest.mark.parametrize(
    ("landmarks", "code"),
    [
        ({}, "bad_landmarks"),
        ([], "bad_landmarks"),
        ({"width_px": 640, "height_px": 480, "frames": []}, "no_face"),
        ({**portrait.landmarks(0.4), "width_px": 1}, "bad_landmarks"),
        ({**portrait.landmarks(0.4), "height_px": 900}, "landmarks_of_another_picture"),
        (moved(lambda points: points[:67]), "bad_landmarks"),
        (moved(lambda points: points * 1e9), "bad_landmarks"),
        (without_faces(0.1), "no_face"),
        (two_faces(), "two_faces"),
        (moved(lambda points: points * 0.5), "face_too_small"),
        (moved(lambda points: points + [300, 0]), "face_cut_off"),
        (jumping(), "face_jumps"),
        (moved(open_mouth), "mouth_open_at_ends"),
    ],
)
def test_faces_that_cannot_be_used_are_refused_in_words(
    tmp_path: Path, landmarks: Any, code: str
) -> None:
    with pytest.raises(EngineError) as caught:
        build(tmp_path, landmarks=landmarks)

    assert caught.value.code == code
    assert len(caught.value.message) > 20
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("level", "code"), [(20, "too_dark"), (235, "too_bright"), (120, "no_detail")]
)
def test_bad_light_is_refused(tmp_path: Path, level: int, code: str) -> None:
    with pytest.raises(EngineError) as caught:
        build(tmp_path, frames=np.full_like(portrait.pictures(COUNT), level))

    assert caught.value.code == code


@pytest.mark.parametrize(
    "options",
    [
        {"bbox_shift": 1000}, {"bbox_shift": "9"}, {"clips": [{"name": "wave"}]},
        {"clips": [{"name": "idle", "from_seconds": 0.1, "to_seconds": 0.2}]},
        {"clips": [{"name": "wave", "from_seconds": 0.1, "to_seconds": 9}]},
    ],
)  # fmt: skip
def test_wrong_options_are_refused(tmp_path: Path, options: Json) -> None:
    with pytest.raises(EngineError) as caught:
        build(tmp_path, options=options)

    assert caught.value.code == "bad_option"


def test_a_few_missing_faces_are_bridged_and_noted(tmp_path: Path) -> None:
    document = portrait.landmarks(8.0)
    document["frames"][3]["faces"] = []
    build(tmp_path, landmarks=document)

    assert "without a face" in open_bundle(tmp_path).manifest.notes[0]


def test_missing_weights_are_named(tmp_path: Path) -> None:
    (tmp_path / "frames.i420").write_bytes(portrait.pictures(COUNT).tobytes())
    path = portrait.write_landmarks(tmp_path / "landmarks.json")
    settings = {"weights": str(tmp_path / "weights")}

    with pytest.raises(EngineError) as caught:
        build_bundle(
            tmp_path, Footage(portrait.pictures(COUNT), 25, path), "musetalk", settings, {},
            lambda *_: None,
        )  # fmt: skip

    assert caught.value.code == "weights_missing"
    assert "sd-vae/" in caught.value.message


# --- footage


def test_film_is_decoded_at_25_frames_a_second(tmp_path: Path) -> None:
    film = portrait.write_film(tmp_path / "film.mp4", frames=60, rate=50)

    made = extract_footage(film, tmp_path / "frames")

    assert (made.frames, made.width_px, made.height_px) == (30, 640, 480)
    frames = np.fromfile(tmp_path / "frames", np.uint8).reshape(30, 720, 640)
    difference = np.abs(frames[0][:480].astype(int) - portrait.pictures()[0][:480])
    assert difference.mean() < 3
    assert not made.is_photo


def test_photo_is_a_film_of_one_frame(tmp_path: Path) -> None:
    made = extract_footage(portrait.write_photo(tmp_path / "a.png"), tmp_path / "frames")

    assert (made.frames, made.is_photo) == (1, True)
    frame = np.fromfile(tmp_path / "frames", np.uint8).reshape(720, 640)
    assert np.abs(frame[:480].astype(int) - portrait.pictures()[0][:480]).mean() < 1


def _write(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


def _empty_film(path: Path, width: int, height: int, seconds: float, rate: int = 2) -> Path:
    blank = np.zeros((height * 3 // 2, width), np.uint8)
    with av.open(str(path), "w") as film:
        video: Any = film.add_stream("libx264", rate=rate, options={"preset": "ultrafast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        for number in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(blank, format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            film.mux(video.encode(frame))
        film.mux(video.encode(None))
    return path


def _sound_only(path: Path) -> Path:
    with av.open(str(path), "w", format="mp4") as film:
        audio: Any = film.add_stream("aac", rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 48_000
        film.mux(audio.encode(frame))
        film.mux(audio.encode(None))
    return path


def _cut_off(path: Path) -> Path:
    # The index is in front, as browsers and phones write it, and the end is missing.
    whole = portrait.write_film(path.with_name("whole.mkv"), frames=50)
    return _write(path, whole.read_bytes()[: whole.stat().st_size // 2])


def _huge_png(path: Path) -> Path:
    return _write(path, cv2.imencode(".png", np.zeros((16_384, 16_384), np.uint8))[1].tobytes())


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda path: _write(path, b""), "footage_unknown"),
        (lambda path: _write(path, b"#EXTM3U\nhttp://169.254.169.254/"), "footage_unknown"),
        (lambda path: _write(path, b"ffconcat version 1.0\nfile /etc/passwd"), "footage_unknown"),
        (lambda path: _write(path, b"RIFF\0\0\0\0AVI LIST"), "footage_unknown"),
        (lambda path: _write(path, b"\0\0\0\x18ftypheic\0\0\0\0"), "photo_unknown"),
        (lambda path: _write(path, b"\0\0\0\x18ftypmp42" + b"\xff" * 500), "footage_damaged"),
        (lambda path: _write(path, b"\x1a\x45\xdf\xa3" + b"\0" * 500), "footage_damaged"),
        (lambda path: _write(path, b"\x89PNG\r\n\x1a\n" + b"\0" * 90), "picture_unreadable"),
        (_cut_off, "footage_damaged"),
        (_sound_only, "no_picture"),
        (_huge_png, "picture_too_large"),
        (lambda path: _empty_film(path, 128, 96, 2), "footage_too_small"),
        (lambda path: _empty_film(path, 320, 256, 0.5, 4), "footage_too_short"),
        (lambda path: _empty_film(path, 320, 256, 40), "footage_too_long"),
        (lambda path: _empty_film(path, 4608, 2560, 1), "footage_too_large"),
    ],
)  # fmt: skip
def test_uploads_that_are_no_film_are_refused_in_words(
    tmp_path: Path, make: Callable[[Path], Path], code: str
) -> None:
    name = "film.mp4" if code.startswith(("footage", "no_")) else "photo.png"
    source = make(tmp_path / name)

    with pytest.raises(FootageUnreadableError) as caught:
        extract_footage(source, tmp_path / "frames")

    assert caught.value.code == code


# --- the tool


def start_tool(folder: Path, *, program: str = "", **changes: Any) -> subprocess.Popen[bytes]:
    """program: of Python, instead of the tool itself."""
    request = {
        "engine": ENGINE, "settings": {}, "source": str(folder / "film.mp4"),
        "landmarks": str(folder / "landmarks.json"), "out": str(folder / "bundle"),
        "cache_folder": str(folder / "cache"), "options": {}, **changes,
    }  # fmt: skip
    tool = subprocess.Popen(
        [sys.executable, *(["-c", program] if program else ["-m", "inference.tool", "build"])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert tool.stdin is not None
    tool.stdin.write(json.dumps(request).encode() + b"\n")
    tool.stdin.flush()
    return tool


@pytest.mark.long
def test_tool_tells_its_progress_and_leaves_a_bundle_with_previews(tmp_path: Path) -> None:
    portrait.write_film(tmp_path / "film.mp4", frames=25)
    portrait.write_landmarks(tmp_path / "landmarks.json")

    with start_tool(tmp_path) as tool:
        assert tool.stdout is not None
        lines = [json.loads(line) for line in tool.stdout]
        assert tool.stdin is not None
        tool.stdin.close()

    assert tool.returncode == 0
    assert lines[-1]["done"]["frames"] == 25
    stages = list(dict.fromkeys(line["stage"] for line in lines[:-1]))
    assert stages == [
        "frames", "landmarks", "checks", "masks", "networks", "latents", "preview", "done",
    ]  # fmt: skip
    open_bundle(tmp_path / "bundle", verify_hashes=True)
    with av.open(str(tmp_path / "bundle" / "preview.mp4")) as film:
        assert len(film.streams.audio) == 1
        pictures = [frame.to_ndarray(format="gray") for frame in film.decode(video=0)]
    assert len(pictures) > 50
    x0, y0, x1, y1 = open_bundle(tmp_path / "bundle").film.rois[0].tolist()
    mouths = [picture[y0:y1, x0:x1].astype(int) for picture in pictures]
    assert np.abs(mouths[3] - mouths[1]).mean() < 3  # silence: the film itself
    assert np.abs(mouths[40] - mouths[1]).mean() > 15  # speech: painted


def test_cancelled_build_leaves_nothing_behind(tmp_path: Path) -> None:
    portrait.write_film(tmp_path / "film.mp4", frames=50)
    portrait.write_landmarks(tmp_path / "landmarks.json")
    # However late it is cancelled, it has not ended by itself.
    program = (
        "import time, inference.tool as t, inference.engines.face.avatar_build as b;"
        "b.write_preview_film = lambda *_, **__: time.sleep(3600); t.main(['build'])"
    )
    tool = start_tool(tmp_path, program=program)
    assert tool.stdout is not None
    assert tool.stdin is not None
    tool.stdout.readline()

    tool.stdin.close()

    assert tool.wait(120) == 143
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "landmarks.json"]
    tool.stdout.close()
    assert tool.stderr is not None
    tool.stderr.close()


@pytest.mark.long
def test_build_that_wants_more_memory_than_it_may_ends_in_words(tmp_path: Path) -> None:
    """Points of 30 MB become some 400 MB of numbers; the build is given 300."""
    portrait.write_film(tmp_path / "film.mp4", frames=25)
    face = str([[1.5, 2.5]] * 68)
    look = f'{{"at_seconds": 0, "faces": [{face}]}}'
    (tmp_path / "landmarks.json").write_text(
        f'{{"width_px": 640, "height_px": 480, "frames": [{",".join([look] * 30_000)}]}}'
    )
    program = (
        "import sys, inference.tool as t; t._BUILD_MEMORY_BYTES = 300 << 20; t.main(['build'])"
    )

    with start_tool(tmp_path, program=program) as tool:
        assert tool.stderr is not None
        said = json.loads(tool.stderr.read().splitlines()[-1])

    assert said["code"] == "build_memory", said
    assert "300 MiB" in said["message"]
    assert not (tmp_path / "bundle").exists()


def test_build_on_a_gpu_that_is_full_of_shows_says_so_and_may_be_tried_again(
    tmp_path: Path,
) -> None:
    program = (
        "import sys, torch, inference.tool as t, inference.engines.face.avatar_build as b\n"
        "def full(*_): raise torch.OutOfMemoryError('CUDA out of memory. Tried to allocate')\n"
        "b.build_avatar = full\n"
        "sys.exit(t.main(['build']))"
    )

    with start_tool(tmp_path, program=program) as tool:
        assert tool.stderr is not None
        said = json.loads(tool.stderr.read().splitlines()[-1])

    assert (said["code"], said["retryable"]) == ("gpu_full", True)
    assert "when fewer broadcasts are on air" in said["message"]


def test_refusal_of_the_tool_is_a_line_of_json(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"not a film")
    portrait.write_landmarks(tmp_path / "landmarks.json")

    with start_tool(tmp_path) as tool:
        assert tool.stderr is not None
        said = json.loads(tool.stderr.read().splitlines()[-1])

    assert tool.returncode == 1
    assert said["code"] == "footage_unknown"
    assert not (tmp_path / "bundle").exists()
