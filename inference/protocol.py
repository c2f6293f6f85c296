"""The words the web side and a runner share: spec, commands, events, messages; plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal

from inference.closing_spec import Closing, TellQuota
from inference.ice_spec import IceSpec as IceSpec
from inference.json_form import Json as Json
from inference.json_form import ProtocolError as ProtocolError
from inference.json_form import decode as decode
from inference.json_form import encode as encode
from inference.overlay_spec import CardSpec as CardSpec
from inference.overlay_spec import OverlaySpec as OverlaySpec

PROTOCOL_VERSION: Final = 1
SAMPLE_RATE_HZ: Final = 48_000

HEARTBEAT_SECONDS: Final = 2.0
LEASE_SECONDS: Final = 10.0
SIGNAL_DEADLINE_SECONDS: Final = 5.0
FENCE_REPLACE_SECONDS: Final = 30.0

CLOSE_BAD_TOKEN: Final = 4401
CLOSE_FORBIDDEN: Final = 4403
CLOSE_NOT_FOUND: Final = 4404
CLOSE_STALE_RUNNER: Final = 4409

CueKind = Literal["speech", "pause", "clip"]
RundownMode = Literal["once", "loop"]
Ends = Literal["after_rundown", "after_duration", "manual"]
ScriptState = Literal["running", "held", "paused", "finished"]
UtteranceSource = Literal["script", "operator", "answer"]
UtteranceState = Literal["queued", "speaking", "said", "interrupted", "dropped", "failed"]
OutputState = Literal["connecting", "live", "retrying", "waiting_for_key", "failed", "stopped"]
VideoEncoderChoice = Literal["auto", "x264", "nvenc"]


@dataclass(frozen=True, slots=True)
class RenditionSpec:
    """One encoded picture of a broadcast. frame_samples: frame duration in 48 kHz samples."""

    id: str
    width_px: int
    height_px: int
    frame_samples: int
    bitrate_kbps: int
    framing: str = "full"


@dataclass(frozen=True, slots=True)
class AvatarSpec:
    """Which face engine to load, and what it needs to. clips: {name: ms} that it can play."""

    id: str
    engine: str
    settings: Json = field(default_factory=dict)
    clips: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VoiceSpec:
    """One voice of the failover chain, first choice first."""

    id: str
    engine: str
    language: str
    settings: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CueSpec:
    """One item of the rundown as the runner plays it."""

    id: str
    kind: CueKind
    text: str = ""
    expression: str = "neutral"
    gesture: str = "none"
    emotion: int = 3
    clip: str | None = None
    pause_seconds: float = 0.0
    card: CardSpec | None = None


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One destination. id: of the broadcast's output; stream_key is secret and never logged.
    desired `waiting_for_key`: nothing is opened until `output_replace_key` brings the key."""

    id: str
    name: str
    kind: Literal["rtmp", "file"]
    url: str
    stream_key: str = field(default="", repr=False)
    rendition: str = "main"
    desired: Literal["live", "waiting_for_key", "stopped"] = "live"


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the script stands: the next sentence to be said; finished: none is left."""

    cue: str | None = None
    sentence: int = 0
    loop: int = 0
    finished: bool = False


@dataclass(frozen=True, slots=True)
class RunnerSpec:
    """All a runner needs to put one broadcast on air. Sent in `welcome`, kept only in memory.

    token: the renewed run token. run_folder: outbox and worker files; recordings_folder: MP4s.
    resume: relaunched; cursor, script, says are as they were left, media time is elapsed_seconds.
    """

    broadcast: str
    lease_epoch: int
    token: str = field(repr=False)
    title: str
    language: str
    renditions: tuple[RenditionSpec, ...]
    avatar: AvatarSpec
    voices: tuple[VoiceSpec, ...]
    cues: tuple[CueSpec, ...]
    run_folder: str
    recordings_folder: str
    cache_folder: str
    rundown_mode: RundownMode = "once"
    loop_pause_seconds: float = 0.0
    ends: Ends = "after_rundown"
    duration_seconds: float | None = None
    elapsed_seconds: float = 0.0
    background: str = "studio"
    overlays: OverlaySpec = field(default_factory=OverlaySpec)
    outputs: tuple[OutputSpec, ...] = ()
    record: bool = False
    cursor: Cursor = field(default_factory=Cursor)
    script: ScriptState = "running"
    says: tuple[Say, ...] = ()
    resume: bool = False
    ice: IceSpec = field(default_factory=IceSpec)
    viewer_limit: int = 20
    egress_allow: tuple[str, ...] = ()
    test_engines: bool = False
    video_encoder: VideoEncoderChoice = "auto"


@dataclass(frozen=True, slots=True)
class Stop:
    when: Literal["now", "sentence_end"] = "sentence_end"
    reason: str = "stopped by the operator"
    closing: Closing | None = None


@dataclass(frozen=True, slots=True)
class Say:
    """utterance: the id the web side gave it. None for expression, gesture, emotion = keep."""

    utterance: str
    text: str
    interrupt: bool = False
    expression: str | None = None
    gesture: str | None = None
    emotion: int | None = None
    source: UtteranceSource = "operator"


@dataclass(frozen=True, slots=True)
class Interrupt:
    """resume_after_seconds None: held until the next `say` has ended or `resume`."""

    resume_after_seconds: float | None = 5.0


@dataclass(frozen=True, slots=True)
class Pause: ...


@dataclass(frozen=True, slots=True)
class Resume: ...


@dataclass(frozen=True, slots=True)
class Skip: ...


@dataclass(frozen=True, slots=True)
class Take:
    cue: str


@dataclass(frozen=True, slots=True)
class SetExpression:
    name: str


@dataclass(frozen=True, slots=True)
class PlayGesture:
    name: str


@dataclass(frozen=True, slots=True)
class PlayClip:
    clip: str


@dataclass(frozen=True, slots=True)
class AddOutput:
    output: OutputSpec


@dataclass(frozen=True, slots=True)
class StartOutput:
    id: str


@dataclass(frozen=True, slots=True)
class StopOutput:
    id: str


@dataclass(frozen=True, slots=True)
class ReplaceOutputKey:
    """The key is added from the vault when the command is sent; the row never holds it."""

    id: str
    stream_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetRecording:
    on: bool


COMMANDS: Final[dict[str, type]] = {
    "stop": Stop,
    "say": Say,
    "interrupt": Interrupt,
    "pause": Pause,
    "resume": Resume,
    "skip": Skip,
    "take": Take,
    "expression": SetExpression,
    "gesture": PlayGesture,
    "clip": PlayClip,
    "output_add": AddOutput,
    "output_start": StartOutput,
    "output_stop": StopOutput,
    "output_replace_key": ReplaceOutputKey,
    "record": SetRecording,
    "tell_quota": TellQuota,
}

# --- events: numbered, kept in the outbox until acknowledged ------------------------------------

# kind -> the fields of `data`; unknown fields are kept, missing ones refused by `check_event`.
EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "runner.started": ("pid", "lease_epoch"),
    "broadcast.state": ("state", "reason"),  # live | stopping | ended | failed
    "broadcast.first_frame": ("media_time_ms",),
    "script.state": ("script", "reason"),
    "cursor": ("cue", "sentence", "loop"),
    # id source cue sentence loop text generation state media_time_ms played_ms duration_ms
    "utterance": ("id", "source", "text", "generation", "state"),
    "output": ("id", "state", "reason"),  # + bitrate_kbps dropped reconnects
    "recording": ("id", "path", "state", "reason"),  # recording | finished | failed
    "worker": ("kind", "pid", "state", "reason"),  # started | died | ended | failed
    "clock.rebased": ("gap_ms",),
    "viewer.failed": ("viewer", "step", "reason"),
    "speech.made": ("engine", "characters"),  # + tokens; by a voice, not from the cache
    "quota.warning": ("meter", "used", "limit", "resets_at"),
    "quota.reached": ("meter", "used", "limit", "resets_at"),
}
# Never dropped when the outbox is at its cap.
KEPT_EVENTS: Final = {"broadcast.state", "utterance", "cursor", "script.state", "speech.made"}


@dataclass(frozen=True, slots=True)
class Event:
    """sequence: 1, 2, 3 ... over the whole broadcast. at: RFC 3339 UTC."""

    sequence: int
    kind: str
    at: str
    data: Json


@dataclass(frozen=True, slots=True)
class Hello:
    broadcast: str
    lease_epoch: int
    version: int
    pid: int


@dataclass(frozen=True, slots=True)
class Welcome:
    spec: RunnerSpec
    acknowledged: int


@dataclass(frozen=True, slots=True)
class Events:
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Acknowledge:
    sequence: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """sent_at_ms: boot-time clock of the runner, echoed in `heartbeat_acknowledged`."""

    metrics: Json
    sent_at_ms: int = 0
    workers: tuple[Json, ...] = ()


@dataclass(frozen=True, slots=True)
class HeartbeatAcknowledged:
    sent_at_ms: int
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Metrics:
    """Newest wins, at most 5 a second."""

    metrics: Json


@dataclass(frozen=True, slots=True)
class Live:
    """What viewers' pages follow and nobody stores. kind: caption | viseme."""

    kind: Literal["caption", "viseme"]
    data: Json


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """jpeg: base64, at most 20 kB decoded; sent only while somebody looks."""

    jpeg: str


@dataclass(frozen=True, slots=True)
class WatchThumbnail:
    """Web -> runner: somebody looks for the next `seconds`."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Command:
    id: str
    name: str
    args: Json


@dataclass(frozen=True, slots=True)
class Result:
    id: str
    ok: bool
    error: Json | None = None
    data: Json | None = None


@dataclass(frozen=True, slots=True)
class Signal:
    """WebRTC signalling by correlation id, no replay. source: of the viewer's address, or "".

    To the runner: offer {sdp, source} | candidate {candidate, sdpMid, sdpMLineIndex} | bye.
    From it: answer {sdp} | candidate | error {code, message, retry_after_seconds} | state.
    """

    viewer: str
    id: str
    kind: str
    data: Json = field(default_factory=dict)


MESSAGES: Final[dict[str, type]] = {
    "hello": Hello,
    "welcome": Welcome,
    "events": Events,
    "acknowledge": Acknowledge,
    "heartbeat": Heartbeat,
    "heartbeat_acknowledged": HeartbeatAcknowledged,
    "metrics": Metrics,
    "live": Live,
    "thumbnail": Thumbnail,
    "watch_thumbnail": WatchThumbnail,
    "command": Command,
    "result": Result,
    "signal": Signal,
}
_TYPE_OF_MESSAGE: Final = {cls: name for name, cls in MESSAGES.items()}


def encode_message(message: Any) -> Json:
    """The JSON form of a link message, `type` first."""
    return {"type": _TYPE_OF_MESSAGE[type(message)], **encode(message)}


def decode_message(raw: Any) -> Any:
    """The dataclass of a link message. Raises ProtocolError."""
    if not isinstance(raw, dict) or not isinstance(raw.get("type"), str):
        raise ProtocolError("a message is an object with a `type`")
    cls = MESSAGES.get(raw["type"])
    if cls is None:
        raise ProtocolError(f"unknown message type {raw['type']!r}")
    return decode(cls, {key: value for key, value in raw.items() if key != "type"})


def decode_command(name: str, args: Any) -> Any:
    """The dataclass of a command. Raises ProtocolError."""
    cls = COMMANDS.get(name)
    if cls is None:
        raise ProtocolError(f"unknown command {name!r}")
    return decode(cls, args)


def check_event(event: Event) -> None:
    """Raises ProtocolError when the kind is unknown or a field of it is missing."""
    fields = EVENTS.get(event.kind)
    if fields is None:
        raise ProtocolError(f"unknown event kind {event.kind!r}")
    missing = [name for name in fields if name not in event.data]
    if missing:
        raise ProtocolError(f"event {event.kind!r} lacks {', '.join(missing)}")
