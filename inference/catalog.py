"""The engines and outputs this build offers: one literal table, importing nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

EngineKind = Literal["face", "speech"]


@dataclass(frozen=True, slots=True)
class NeededWeights:
    """A network that an engine loads, by its name in the list of weights.

    setting, values: needed only while that setting is one of these; is_default: also while it is
    not set at all.
    """

    name: str
    setting: str = ""
    values: tuple[str, ...] = ()
    is_default: bool = False

    def is_needed(self, settings: Mapping[str, Any]) -> bool:
        chosen = settings.get(self.setting)
        return not self.setting or (self.is_default if chosen is None else chosen in self.values)


@dataclass(frozen=True, slots=True)
class EngineEntry:
    """One engine as settings, admin and runner name it.

    factory: dotted path `module:callable`, imported only inside a worker process.
    gpu_memory_mib: what one broadcast of it needs on a GPU; 0 = runs on the CPU.
    test_only: offered only while `TEST_ENGINES=1`.
    tagged: its sound codes number and generation, so it is never cached by text.
    needs_audio: a face that follows the sound itself, not visemes.
    builder: dotted path `module:callable` of what makes its avatars from an upload; empty = none.
    It is called as `musetalk.building:build_bundle` is.
    is_remote: a server makes the sound; what it is sent counts against `tts_characters`.
    spends_tokens_with: (setting, value): with it, the server tells behind each sentence how many
    tokens of a language model it took, and they count against `llm_tokens`; None = it never does.
    needs_consent: it shows or sounds like a real person, whose consent must be on record.
    is_served: a model server can run its networks for all broadcasts of a GPU.
    has_one_network: neither versions nor decoders tell its model servers apart.
    weights: what an operator has to fetch before it prepares and shows an avatar.
    """

    kind: EngineKind
    name: str
    label_en: str
    label_zh: str
    factory: str
    gpu_memory_mib: int = 0
    test_only: bool = False
    tagged: bool = False
    needs_audio: bool = False
    builder: str = ""
    is_remote: bool = False
    spends_tokens_with: tuple[str, str] | None = None
    needs_consent: bool = False
    is_served: bool = False
    has_one_network: bool = False
    weights: tuple[NeededWeights, ...] = ()

    def spends_tokens(self, settings: Mapping[str, Any]) -> bool:
        """Whether its server says of each sentence how many tokens it has cost."""
        if self.spends_tokens_with is None:
            return False
        setting, value = self.spends_tokens_with
        return settings.get(setting) == value


ENGINES: Final[tuple[EngineEntry, ...]] = (
    EngineEntry(
        "face",
        "puppet",
        "Drawn presenter",
        "手绘主播",
        "inference.engines.face.puppet.engine:create_engine",
    ),
    EngineEntry(
        "face",
        "portrait",
        "Presenter of one photo (no GPU)",
        "一张照片的主播（不需要 GPU）",
        "inference.engines.face.portrait.engine:create_engine",
        builder="inference.engines.face.portrait.building:build_bundle",
        needs_consent=True,
    ),
    EngineEntry(
        "face",
        "testcard",
        "Test card",
        "测试卡",
        "inference.engines.face.testcard.engine:create_engine",
        test_only=True,
    ),
    EngineEntry(
        "face",
        "musetalk",
        "Filmed presenter (MuseTalk, needs weights and a GPU)",
        "真人视频主播（MuseTalk，需要权重和 GPU）",
        "inference.engines.face.musetalk.engine:create_engine",
        gpu_memory_mib=4096,
        needs_audio=True,
        builder="inference.engines.face.musetalk.building:build_bundle",
        needs_consent=True,
        is_served=True,
        weights=(
            NeededWeights("MuseTalk 1.5 UNet", "version", ("v1.5",), is_default=True),
            NeededWeights("MuseTalk 1.0 UNet", "version", ("v1",)),
            NeededWeights("Stable Diffusion VAE (ft-MSE)"),
            NeededWeights("TAESD decoder", "decoder", ("tiny",)),
            NeededWeights("Whisper tiny"),
            NeededWeights("Face parser (BiSeNet)", "mask", ("raw", "neck", "jaw")),
        ),
    ),
    EngineEntry(
        "face",
        "musetalk_tiny",
        "Filmed presenter with test networks",
        "测试用小型 MuseTalk",
        "inference.engines.face.musetalk.tiny:create_engine",
        test_only=True,
        needs_audio=True,
        builder="inference.engines.face.musetalk.building:build_bundle",
        is_served=True,
    ),
    EngineEntry(
        "face",
        "wav2lip256",
        "Filmed presenter (Wav2Lip 256, needs weights and a GPU)",
        "真人视频主播（Wav2Lip 256，需要权重和 GPU）",
        "inference.engines.face.wav2lip.engine:create_engine",
        gpu_memory_mib=1024,
        needs_audio=True,
        builder="inference.engines.face.musetalk.building:build_bundle",
        needs_consent=True,
        is_served=True,
        has_one_network=True,
        weights=(NeededWeights("Wav2Lip 256"),),
    ),
    EngineEntry(
        "face",
        "wav2lip256_tiny",
        "Filmed presenter with a small Wav2Lip for tests",
        "测试用小型 Wav2Lip",
        "inference.engines.face.wav2lip.tiny:create_engine",
        test_only=True,
        needs_audio=True,
        builder="inference.engines.face.musetalk.building:build_bundle",
        is_served=True,
        has_one_network=True,
    ),
    EngineEntry(
        "speech",
        "espeak",
        "Built-in basic voice (eSpeak NG)",
        "内置基础音色（eSpeak NG）",
        "inference.engines.speech.espeak.engine:create_engine",
    ),
    EngineEntry(
        "speech",
        "edge",
        "Edge online voices (unofficial, no key)",
        "Edge 在线音色（非官方，免密钥）",
        "inference.engines.speech.edge.engine:create_engine",
        is_remote=True,
    ),
    EngineEntry(
        "speech",
        "openai_speech",
        "Server with OpenAI's speech interface",
        "兼容 OpenAI 语音接口的服务",
        "inference.engines.speech.openai_speech.engine:create_engine",
        is_remote=True,
        spends_tokens_with=("stream_format", "sse"),
    ),
    EngineEntry(
        "speech",
        "testtone",
        "Test tone",
        "测试音",
        "inference.engines.speech.testtone.engine:create_engine",
        test_only=True,
        tagged=True,
    ),
)

EXPRESSIONS: Final = (
    "neutral",
    "happy",
    "laugh",
    "surprised",
    "sad",
    "angry",
    "thinking",
    "wink",
)
GESTURES: Final = ("none", "wave", "point_left", "point_right", "open_hands", "heart")
LANGUAGES: Final = ("zh-CN", "en-US")
OUTPUT_KINDS: Final = ("rtmp", "file")
# Drawn ones; a colour such as #dfe6f4 is taken as well.
BACKGROUNDS: Final = ("studio", "shop", "newsroom", "evening", "plain")


@dataclass(frozen=True, slots=True)
class Outfit:
    """Clothes of a drawn presenter."""

    name: str
    label_en: str
    label_zh: str


@dataclass(frozen=True, slots=True)
class Presenter:
    """A character of the engine `puppet`. gender: of the voices that suit it."""

    character: str
    label: str
    gender: Literal["female", "male"]
    outfits: tuple[Outfit, ...]


# The first of each is what is drawn unless an avatar's settings say otherwise.
PRESENTERS: Final = (
    Presenter(
        "lin",
        "Lin · 小林",
        "female",
        (Outfit("blazer", "coral blazer", "珊瑚色西装"), Outfit("knit", "cream knit", "米色毛衣")),
    ),
    Presenter(
        "chen",
        "Chen · 小陈",
        "male",
        (Outfit("suit", "navy suit", "藏青西装"), Outfit("cardigan", "green cardigan", "绿色开衫")),
    ),
)


@dataclass(frozen=True, slots=True)
class Profile:
    """A picture format a show can choose: size in px, frames per second, kilobits per second."""

    name: str
    width_px: int
    height_px: int
    frames_per_second: int
    bitrate_kbps: int


PROFILES: Final[tuple[Profile, ...]] = (
    Profile("virtual_host", 960, 540, 25, 2000),
    Profile("mobile", 640, 360, 15, 1500),
    # What a small neural presenter holds on a processor alone.
    Profile("economy", 640, 360, 10, 1000),
    Profile("course", 1280, 720, 30, 3000),
    Profile("hd", 1280, 720, 25, 2500),
    Profile("full_hd", 1920, 1080, 30, 4500),
    Profile("vertical", 720, 1280, 25, 2500),
)


def get_engine(kind: EngineKind, name: str) -> EngineEntry:
    """The entry of one engine. Raises LookupError naming the ones that exist."""
    for entry in ENGINES:
        if entry.kind == kind and entry.name == name:
            return entry
    known = ", ".join(entry.name for entry in ENGINES if entry.kind == kind)
    raise LookupError(f"no {kind} engine named {name!r}; there are: {known}")


def needs_consent(kind: EngineKind, name: str) -> bool:
    """Whether it airs with a consent on record only. No engine of this name: False."""
    return any(e.needs_consent for e in ENGINES if (e.kind, e.name) == (kind, name))


def get_profile(name: str) -> Profile:
    """The profile of this name. Raises LookupError naming the ones that exist."""
    for profile in PROFILES:
        if profile.name == name:
            return profile
    raise LookupError(f"no profile {name!r}; there are: {', '.join(p.name for p in PROFILES)}")
