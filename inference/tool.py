"""Media work that the web side asks for, each piece in a child process of its own.

`python -m inference.tool NAME` reads one JSON object on stdin and writes its answer to stdout:
    preview         {engine, language, settings, text}
                    -> a line of JSON {tokens}, then WAV, 16-bit mono
    spoken          as preview                                -> a line of JSON {visemes}, then WAV
    avatar-preview  {engine, settings, cache_folder}          -> PNG, 960x540
    room            {width_px, height_px, background}         -> I420: the background alone
    encoders        {}                                        -> JSON {name: "ok" or what is wrong}
    font            {}                                        -> JSON {path} of the caption font
    picture         {path, kind}                              -> a line of JSON, then JPEG or PNG
    weights         {folder}                                  -> JSON [network and its files]
    upload          {engine, settings, source, landmarks, options}
                    -> {}; refuses what no build could take, as far as that is known at once
    footage         {path, out}                               -> JSON facts; writes the frames
    build           {engine, settings, source, landmarks, out, cache_folder, options}
                    -> lines of JSON {progress, stage, message}, the last one {done: facts};
                    it ends when its stdin does
A refusal ends it with status 1 and `{"code", "message", "retryable"}` as the last line of stderr.
Engines print what they like to stdout: it is sent to stderr before they are loaded.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import os
import resource
import signal
import sys
import threading
import wave
from collections.abc import Callable
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import numpy as np

from inference.catalog import EngineKind, get_engine
from inference.engines.base import (
    EngineError,
    FaceEngine,
    FaceSetup,
    Json,
    SpeechEngine,
    SpeechRequest,
)
from inference.engines.weights import WeightsFolder, describe, list_parts

if TYPE_CHECKING:
    from inference.media.uploads import UploadKind

PREVIEW_MAX_SECONDS: Final = 60
PREVIEW_SIZE_PX: Final = (960, 540)
_CPU_LIMIT_SECONDS: Final = 60
# Half a minute of 4K takes about two minutes.
_CPU_LIMITS_SECONDS: Final = {"footage": 400, "upload": 20}
_FOOTAGE_MEMORY_BYTES: Final = 4 * 1024**3
_FOOTAGE_FILE_BYTES: Final = 3 * 1024**3
# A build: anonymous memory, files that are mapped (weights, pictures) apart. The VAE at work on a
# processor takes 2 GiB.
_BUILD_MEMORY_BYTES: Final = 8 * 1024**3
_BUILD_MEMORY_SHARE: Final = 0.6
_BUILD_FILE_BYTES: Final = 8 * 1024**3
# 40 megapixels take 160 MB, several times over while they are turned and made smaller.
_PICTURE_MEMORY_BYTES: Final = 2 * 1024**3
# The presenter looks up and breathes in: the first picture is the stiffest one.
_POSE_SECONDS: Final = 1.0
_FRAME_SAMPLES: Final = 1920


def main(arguments: list[str]) -> int:
    """Run one tool; returns the exit status."""
    answer_to = _claim_stdout()
    try:
        if arguments == ["build"]:
            build_presenter(answer_to)
            return 0
        tool = _find_tool(arguments)
        limit = _CPU_LIMITS_SECONDS.get(arguments[0], _CPU_LIMIT_SECONDS)
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        answer_to.write(tool(_read_request()))
        answer_to.flush()
    except EngineError as error:
        refusal = {"code": error.code, "message": error.message, "retryable": error.retryable}
        print(json.dumps(refusal, ensure_ascii=False), file=sys.stderr)  # noqa: T201 - the answer
        return 1
    return 0


def preview_voice(request: Json) -> bytes:
    """How many tokens of a language model it took, then the text as WAV. Raises EngineError."""
    spoken = _speak(request)
    return json.dumps({"tokens": spoken.tokens}).encode() + b"\n" + spoken.wav


def speak_with_lips(request: Json) -> bytes:
    """When which mouth is seen, then the WAV. Raises EngineError."""
    spoken = _speak(request)
    return json.dumps({"visemes": spoken.visemes}).encode() + b"\n" + spoken.wav


@dataclass(frozen=True, slots=True)
class _Spoken:
    """visemes: (seconds, viseme index, weight)."""

    wav: bytes
    visemes: list[tuple[float, int, float]]
    tokens: int


def _speak(request: Json) -> _Spoken:
    engine = cast(SpeechEngine, _create("speech", _text(request, "engine")))
    try:
        speech = SpeechRequest(
            text=_text(request, "text"),
            language=_text(request, "language"),
            settings=request.get("settings") or {},
        )
        limit = PREVIEW_MAX_SECONDS * engine.sample_rate_hz
        chunks = list(engine.synthesize(speech))
        samples = np.concatenate([chunk.samples for chunk in chunks])[:limit]
        timings = [timing for chunk in chunks for timing in chunk.timings]
        visemes = engine.visemes(timings, speech.language) if timings else []
        tokens = sum(chunk.tokens for chunk in chunks)
        return _Spoken(_wav(samples, engine.sample_rate_hz), visemes, tokens)
    finally:
        engine.close()


def preview_avatar(request: Json) -> bytes:
    """A picture of the presenter as PNG. Raises EngineError."""
    import cv2  # only this tool needs it, and the others should start fast

    width_px, height_px = PREVIEW_SIZE_PX
    setup = FaceSetup(
        width_px=width_px,
        height_px=height_px,
        frame_samples=_FRAME_SAMPLES,
        framing="full",
        background="studio",
        settings=request.get("settings") or {},
        cache_folder=_text(request, "cache_folder"),
    )
    engine = cast(FaceEngine, _create("face", _text(request, "engine"), setup))
    picture = np.zeros((height_px * 3 // 2, width_px), np.uint8)
    try:
        for frame in range(round(_POSE_SECONDS * 48_000 / _FRAME_SAMPLES)):
            engine.render(frame * _FRAME_SAMPLES, 0, picture)
    finally:
        engine.close()
    is_encoded, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_YUV2BGR_I420))
    if not is_encoded:
        raise EngineError("preview_failed", "The picture could not be written.")
    return png.tobytes()


def draw_room(request: Json) -> bytes:
    """The background of a show without its presenter, I420. Raises EngineError."""
    from inference.engines.face.puppet.bake import draw_ground  # loads the drawing of vectors

    width_px, height_px = (int(request.get(side) or 0) for side in ("width_px", "height_px"))
    if min(width_px, height_px) < 2:
        raise _refusal("The request lacks a size.")
    setup = FaceSetup(
        width_px, height_px, _FRAME_SAMPLES, "full", _text(request, "background"), {}, ""
    )
    return draw_ground(setup).tobytes()


def try_encoders(request: Json) -> bytes:
    """What opening and feeding each encoder says."""
    from inference.media.encoder_choice import probe_nvenc  # loads PyAV

    found = {name: _try_encoder(name) for name in ("libx264", "aac", "libopus")}
    return json.dumps({**found, "h264_nvenc": probe_nvenc() or "ok"}).encode()


def _try_encoder(name: str) -> str:
    import av  # only this tool needs it, and the others should start fast
    from av.error import FFmpegError

    try:
        codec: Any = av.CodecContext.create(name, "w")
        frame: Any
        if name == "libx264":
            codec.width, codec.height, codec.pix_fmt = 320, 180, "yuv420p"
            codec.time_base = Fraction(1, 25)
            frame = av.VideoFrame.from_ndarray(np.zeros((270, 320), np.uint8), "yuv420p")
        else:
            codec.sample_rate, codec.layout = 48_000, "mono"
            codec.format = "fltp" if name == "aac" else "s16"
            codec.open()
            blank = np.zeros((1, codec.frame_size), np.float32 if name == "aac" else np.int16)
            frame = av.AudioFrame.from_ndarray(blank, codec.format.name, "mono")
            frame.sample_rate = 48_000
        frame.pts = 0
        packets = [*codec.encode(frame), *codec.encode(None)]
    except (FFmpegError, ValueError, LookupError) as error:
        return f"cannot be used: {error}"
    return "ok" if any(packet.size for packet in packets) else "made no packet"


def find_caption_font(request: Json) -> bytes:
    """The font that captions are drawn with. Raises EngineError when there is none."""
    from inference.media.fonts import FontMissingError, find_font  # loads Pillow

    try:
        return json.dumps({"path": str(find_font().path)}).encode()
    except FontMissingError as error:
        raise EngineError("font_missing", str(error), retryable=False) from error


def rewrite_picture(request: Json) -> bytes:
    """An uploaded picture as it is kept. Raises EngineError."""
    from inference.media.uploads import UploadError, rewrite_upload  # loads Pillow

    resource.setrlimit(resource.RLIMIT_AS, (_PICTURE_MEMORY_BYTES, _PICTURE_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # the answer goes into a pipe
    kind = _text(request, "kind")
    if kind not in ("card", "logo", "background"):
        raise _refusal(f"There is no kind of picture {kind!r}.")
    try:
        return rewrite_upload(Path(_text(request, "path")), cast("UploadKind", kind))
    except UploadError as error:
        raise EngineError(error.code, str(error), retryable=False) from error


def list_weights(request: Json) -> bytes:
    """Each network that this build can load, and the state of its files."""
    folder = WeightsFolder(Path(_text(request, "folder")))
    return json.dumps(describe(folder, list_parts())).encode()


def check_upload(request: Json) -> bytes:
    """Nothing, for an upload that a build may take. Raises EngineError."""
    from inference.engines.face.avatar_look import Upload, look_at_upload  # loads PyAV

    memory = _FOOTAGE_MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # the answer goes into a pipe
    landmarks = request.get("landmarks")
    look_at_upload(
        Upload(
            engine=_text(request, "engine"),
            settings=request.get("settings") or {},
            source=Path(_text(request, "source")),
            landmarks=Path(landmarks) if landmarks else None,
            options=request.get("options") or {},
        )
    )
    return b"{}"


def extract_frames(request: Json) -> bytes:
    """The frames of an uploaded film or photo, in a file. Raises EngineError."""
    from inference.media.footage import FootageUnreadableError, extract_footage  # loads PyAV

    memory, written = _FOOTAGE_MEMORY_BYTES, _FOOTAGE_FILE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    try:
        made = extract_footage(Path(_text(request, "path")), Path(_text(request, "out")))
    except FootageUnreadableError as error:
        raise EngineError(error.code, str(error), retryable=False) from error
    except OSError as error:
        text = f"The film could not be read or kept: {error.strerror or error}."
        raise EngineError("disk_failed", text) from error
    return json.dumps(asdict(made)).encode()


def build_presenter(answer_to: BinaryIO) -> None:
    """Build an avatar, telling the progress line by line. Raises EngineError."""
    from inference.engines.face.avatar_build import BuildRequest, build_avatar  # loads PyAV

    limit = _limit_build()
    request = json.loads(sys.stdin.buffer.readline() or b"{}")
    # An exception: what was half made is removed, and the child that decodes is ended.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    told = (-1, "", "")

    def report(percent: int, stage: str, message: str) -> None:
        nonlocal told
        if (percent, stage, message) != told:
            told = (percent, stage, message)
            _tell(answer_to, {"progress": percent, "stage": stage, "message": message})

    landmarks = request.get("landmarks")
    wanted = BuildRequest(
        engine=_text(request, "engine"),
        settings=request.get("settings") or {},
        source=Path(_text(request, "source")),
        landmarks=Path(landmarks) if landmarks else None,
        out=Path(_text(request, "out")),
        cache_folder=Path(_text(request, "cache_folder")),
        options=request.get("options") or {},
    )
    try:
        _tell(answer_to, {"done": build_avatar(wanted, report)})
    except (MemoryError, RuntimeError) as error:
        refusal = _out_of_memory(error, limit)
        if refusal is None:
            raise
        raise refusal from error


def _out_of_memory(error: Exception, limit: int) -> EngineError | None:
    """What a host is told of it; None when it is about something else."""
    # PyTorch's class for a GPU, which this module does not load; for a processor it has none.
    if type(error).__name__ == "OutOfMemoryError":
        text = (
            "The GPU has no memory left to build this presenter. "
            "Build it again when fewer broadcasts are on air."
        )
        return EngineError("gpu_full", text)
    if not isinstance(error, MemoryError) and "memory" not in str(error):
        return None
    text = f"Building this presenter takes more memory than a build may ({limit >> 20} MiB)."
    return EngineError("build_memory", text, retryable=False)


def _limit_build() -> int:
    """A film that is made to exhaust the machine ends its build, not the shows on air.

    Returns the bytes of memory it may take. Private writable memory is what counts (RLIMIT_DATA):
    neither the gigabytes of weights that are mapped nor the addresses that CUDA reserves.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = min(_BUILD_MEMORY_BYTES, int(machine * _BUILD_MEMORY_SHARE))
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_BUILD_FILE_BYTES, _BUILD_FILE_BYTES))
    # Where memory ends all the same, the kernel takes it from here first.
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("800")
    return limit


def _tell(answer_to: BinaryIO, line: Json) -> None:
    answer_to.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
    answer_to.flush()


def _end_with_stdin() -> None:
    """Whoever wanted the avatar has gone or cancelled: end at once, whatever is being computed."""
    # Not through sys.stdin: its lock would be held when the process ends by itself.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


TOOLS: Final[dict[str, Callable[[Json], bytes]]] = {
    "preview": preview_voice,
    "spoken": speak_with_lips,
    "avatar-preview": preview_avatar,
    "room": draw_room,
    "encoders": try_encoders,
    "font": find_caption_font,
    "picture": rewrite_picture,
    "weights": list_weights,
    "upload": check_upload,
    "footage": extract_frames,
}


def _find_tool(arguments: list[str]) -> Callable[[Json], bytes]:
    if len(arguments) != 1 or arguments[0] not in TOOLS:
        raise _refusal(f"Name one tool: {', '.join(TOOLS)}.")
    return TOOLS[arguments[0]]


def _create(kind: EngineKind, name: str, *setup: FaceSetup) -> object:
    try:
        module, _, factory = get_engine(kind, name).factory.partition(":")
        return getattr(importlib.import_module(module), factory)(*setup)
    except LookupError as error:
        raise _refusal(str(error)) from error
    except ImportError as error:
        message = f"The engine {name} is not complete on this machine: {error}"
        raise EngineError("engine_missing", message, retryable=False) from error


def _read_request() -> Json:
    try:
        request = json.loads(sys.stdin.buffer.read() or b"{}")
    except ValueError as error:
        raise _refusal("The request is not JSON.") from error
    if not isinstance(request, dict):
        raise _refusal("The request is not a JSON object.")
    return request


def _text(request: Json, name: str) -> str:
    value = request.get(name)
    if not isinstance(value, str) or not value:
        raise _refusal(f"The request lacks {name}.")
    return value


def _wav(samples: np.ndarray[Any, np.dtype[np.int16]], rate_hz: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(samples.astype("<i2").tobytes())
    return file.getvalue()


def _claim_stdout() -> BinaryIO:
    """The real stdout for the answer; whatever else writes to it goes to stderr from now on."""
    answer_to = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answer_to


def _refusal(message: str) -> EngineError:
    return EngineError("bad_request", message, retryable=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
