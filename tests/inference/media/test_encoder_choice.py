"""NVENC is asked for what x264 gives, tried before it is trusted, and never missed."""

from __future__ import annotations

import ctypes
import logging
import re
import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from inference.media import encoder_choice
from inference.media.encoder import VideoEncoder, VideoSettings, open_codec
from inference.media.encoder_choice import choose_encoder, judge_encoder, probe_nvenc
from inference.media.nvenc import CODEC, nvenc_options
from inference.protocol import RenditionSpec

SPEC = RenditionSpec("main", 320, 180, 1920, 500)
_SEARCH_CHILDREN = 1


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe has answered, however slow the machine is."""
    monkeypatch.setattr(encoder_choice, "PROBE_SECONDS", 60.0)


@pytest.fixture(autouse=True)
def _probe_anew() -> Iterator[None]:
    probe_nvenc.cache_clear()
    yield
    probe_nvenc.cache_clear()


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """NVENC cannot be opened, also where the tests run on a machine with one."""

    def refuse(spec: RenditionSpec, settings: VideoSettings) -> Any:
        if settings.encoder == "nvenc":
            raise av.error.PermissionError(1, "Operation not permitted")
        return open_codec(spec, settings)

    monkeypatch.setattr("inference.media.encoder.open_codec", refuse)
    monkeypatch.setattr("inference.media.encoder_choice.open_codec", refuse)


def picture() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).integers(0, 255, (270, 320), np.uint8)


def test_nvenc_is_asked_for_the_same_stream() -> None:
    hd = RenditionSpec("main", 1280, 720, 1920, 2500)

    steady = nvenc_options(hd, is_steady=True, gop_frames=50)
    capped = nvenc_options(hd, is_steady=False, gop_frames=50)

    assert steady["rc"] == "cbr"
    assert (steady["maxrate"], steady["bufsize"]) == ("2500000", "1250000")
    assert (capped["rc"], capped["maxrate"]) == ("vbr", "2500000")
    for options in (steady, capped):
        assert (options["bf"], options["delay"], options["zerolatency"]) == ("0", "0", "1")
        assert (options["g"], options["forced-idr"], options["no-scenecut"]) == ("50", "1", "1")
        assert options["profile"] == "baseline"


def test_every_option_is_one_that_this_build_of_ffmpeg_knows() -> None:
    codec, util = (ctypes.CDLL(_loaded(name)) for name in ("libavcodec", "libavutil"))
    codec.avcodec_find_encoder_by_name.restype = ctypes.c_void_p
    codec.avcodec_alloc_context3.restype = ctypes.c_void_p
    codec.avcodec_alloc_context3.argtypes = [ctypes.c_void_p]
    util.av_opt_find.restype = ctypes.c_void_p
    util.av_opt_find.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int,
    ]  # fmt: skip
    found = codec.avcodec_find_encoder_by_name(CODEC.encode())
    assert found
    context = codec.avcodec_alloc_context3(found)

    asked = {
        name
        for is_steady in (True, False)
        for name in nvenc_options(SPEC, is_steady=is_steady, gop_frames=50)
    }
    unknown = {
        name
        for name in asked
        if not util.av_opt_find(context, name.encode(), None, 0, _SEARCH_CHILDREN)
    }

    assert unknown == set()
    assert not util.av_opt_find(context, b"no-such-option", None, 0, _SEARCH_CHILDREN)


def _loaded(name: str) -> str:
    """The library that PyAV has loaded; OpenCV brings another one."""
    av.CodecContext.create("libx264", "w")
    maps = Path("/proc/self/maps").read_text()
    paths = re.findall(rf"/\S*/{name}[-.]\S*", maps)
    return next(path for path in paths if "opencv" not in path)


@pytest.mark.usefixtures("no_gpu")
def test_broadcast_without_a_gpu_is_encoded_by_x264_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        assert choose_encoder("auto") == "x264"
        assert choose_encoder("x264") == "x264"

    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "NVENC cannot be opened" in caplog.text


@pytest.mark.usefixtures("no_gpu")
def test_asking_for_nvenc_where_there_is_none_warns(caplog: pytest.LogCaptureFixture) -> None:
    assert choose_encoder("nvenc") == "x264"

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_driver_that_hangs_keeps_no_show_from_x264(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    answers = threading.Event()
    monkeypatch.setattr(encoder_choice, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(encoder_choice, "probe_nvenc", lambda: answers.wait(60) or "")

    assert choose_encoder("nvenc") == "x264"

    answers.set()
    assert "has not answered" in caplog.text


@pytest.mark.usefixtures("no_gpu")
def test_gpu_that_has_no_place_left_is_stood_in_for(caplog: pytest.LogCaptureFixture) -> None:
    encoder = VideoEncoder(SPEC, VideoSettings(encoder="nvenc"))

    assert encoder.encode(picture(), 0).is_keyframe
    assert not encoder.encode(picture(), 1).is_keyframe
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_probe_accepts_what_x264_makes() -> None:
    assert judge_encoder(VideoEncoder(SPEC)) == ""


def test_probe_takes_a_gpu_that_does_what_x264_does(monkeypatch: pytest.MonkeyPatch) -> None:
    def stand_in(spec: RenditionSpec, settings: VideoSettings) -> Any:
        return open_codec(spec, VideoSettings(settings.rate_control))

    monkeypatch.setattr("inference.media.encoder.open_codec", stand_in)
    monkeypatch.setattr("inference.media.encoder_choice.open_codec", stand_in)

    assert choose_encoder("auto") == "nvenc"


def _open_other(codec: str, pixels: str, **options: str) -> Any:
    context: Any = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = SPEC.width_px, SPEC.height_px, pixels
    context.time_base = Fraction(1, 25)
    context.options = options
    context.open()
    return context


def _late(spec: RenditionSpec, settings: VideoSettings) -> Any:
    """An encoder that holds pictures back."""
    return _open_other("libx264", "yuv420p", preset="veryfast")


def _of_another_form(spec: RenditionSpec, settings: VideoSettings) -> Any:
    """An encoder of no H.264 at all."""
    return _open_other("mpeg4", "yuv420p")


def test_probe_refuses_an_encoder_that_ignores_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = VideoEncoder(SPEC)
    monkeypatch.setattr(encoder, "request_keyframe", lambda: None)

    assert "keyframes at [0]" in judge_encoder(encoder)


@pytest.mark.parametrize("open_other", [_late, _of_another_form])
def test_probe_refuses_an_encoder_of_another_kind(
    monkeypatch: pytest.MonkeyPatch, open_other: Any
) -> None:
    monkeypatch.setattr("inference.media.encoder.open_codec", open_other)
    monkeypatch.setattr(encoder_choice, "open_codec", open_other)

    assert probe_nvenc() != ""
    assert choose_encoder("auto") == "x264"
