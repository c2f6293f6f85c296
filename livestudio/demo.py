"""The demo: a show that speaks Chinese and English for ever, put on air and described in a file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from accounts.models import Organization
from accounts.roles import SYSTEM
from avatars.models import Avatar
from livestudio.first_run import Administrator, write_private
from streams.errors import BroadcastAlreadyLiveError
from streams.models import Broadcast, Show
from streams.services.idle_loops import build_arguments
from streams.services.lifecycle import start_broadcast
from streams.services.shows import ShowDraft, create_show
from voices.models import Language, Voice

TITLE: Final = "你好，LiveStudio · Hello, LiveStudio"
PROFILE: Final = "virtual_host"
BACKGROUND: Final = "studio"
CUES: Final[tuple[dict[str, Any], ...]] = (
    {
        "text": "[wave]大家好，欢迎来到 LiveStudio！我是主播小林。"
        "您现在看到和听到的，都是实时生成的。",
        "expression": "happy",
    },
    {
        "text": "Hello and welcome! My name is Lin. [happy]You can type a line in the studio, "
        "and I will say it at the end of this sentence.",
        "expression": "neutral",
    },
    {
        "text": "今天的气温是 23.5 度，湿度 60%。[thinking]价格从 ¥1,299 降到 ¥999，"
        "活动到 11 月 30 日为止。[surprised]是不是很划算？",
        "expression": "neutral",
        "gesture": "open_hands",
        "card": {"title": "秋季新品套装", "text": "原价 ¥1,299", "price": "¥999"},
    },
    {"kind": "pause", "pause_seconds": 0.6},
    {
        "text": "The same picture and sound go to your browser, to RTMP platforms, and into a "
        "recording, all at the same time. [wink]Nothing is encoded twice.",
        "expression": "neutral",
    },
    {
        "text": "您可以随时打断我，[pause 0.4]让我先回答观众的问题，"
        "然后我会把没说完的那句话再说一遍。[heart]谢谢观看，我们马上继续！",
        "expression": "happy",
        "emotion": 4,
    },
)


@dataclass(frozen=True, slots=True)
class DemoFile:
    """What `var/demo.json` holds; the contract fixes the names."""

    base_url: str
    username: str
    password: str = field(repr=False)
    organization: str
    show: str
    broadcast: str
    watch_url: str
    studio_url: str
    admin_url: str


def ensure_demo_show(organization: Organization) -> Show:
    """The demo show, made the first time; afterwards as its owner left it."""
    rows = Show.objects.filter(organization=organization, title=TITLE, archived_at=None)
    show: Show | None = rows.first()
    if show is not None:
        return show
    owned = {"organization": organization}
    avatar = Avatar.objects.filter(**owned, engine="puppet").order_by("created_at").first()
    voices = Voice.objects.filter(**owned, language=Language.CHINESE, settings__gender="female")
    values = {
        "title": TITLE,
        "avatar": avatar,
        "voice": voices.order_by("created_at").first(),
        "language": Language.CHINESE,
        "profile": PROFILE,
        "background": BACKGROUND,
        "lower_third_name": "小林 Lin",
        "lower_third_role": "AI 主播 · AI presenter",
        "visibility": "public",
        "rundown_mode": "loop",
        "loop_pause_seconds": 1.0,
        "ends": "manual",
        "record": True,
    }
    draft = ShowDraft(values=values, cues=[{"kind": "speech", **cue} for cue in CUES])
    return create_show(organization=organization, draft=draft, actor=SYSTEM)


def start_demo(show: Show) -> Broadcast:
    """Put the show on air; an airing that outlived a crash goes on."""
    try:
        return start_broadcast(show=show, actor=SYSTEM)
    except BroadcastAlreadyLiveError:
        return Broadcast.objects.get(active_key=show.pk)


def describe(administrator: Administrator, broadcast: Broadcast, base_url: str) -> DemoFile:
    """The addresses of a demo on air."""
    return DemoFile(
        base_url=base_url,
        username=administrator.user.username,
        password=administrator.password,
        organization=str(administrator.organization.pk),
        show=str(broadcast.show_id),
        broadcast=str(broadcast.pk),
        watch_url=f"{base_url}/watch/{broadcast.pk}/",
        studio_url=f"{base_url}/studio/broadcasts/{broadcast.pk}/",
        admin_url=f"{base_url}/admin/",
    )


def write_demo_file(demo: DemoFile) -> Path:
    """`demo.json` in the data folder, readable by its owner only."""
    path = Path(settings.DATA_DIR) / "demo.json"
    write_private(path, json.dumps(asdict(demo), ensure_ascii=False, indent=2) + "\n")
    return path


def idle_loop_arguments(avatar_settings: dict[str, Any]) -> tuple[str, ...]:
    """Arguments of the builder of the presenter's idle loop, as the demo will show it."""
    return build_arguments(
        engine="puppet", avatar_settings=avatar_settings, profile=PROFILE, background=BACKGROUND
    )


@dataclass(slots=True)
class OnAirFigures:
    """What the runner told while the demo was on air: the newest numbers, and each skew."""

    newest: dict[str, Any] = field(default_factory=dict)
    skews_ms: list[float] = field(default_factory=list)

    def note(self, metrics: dict[str, Any]) -> None:
        """One look at the numbers; the same ones seen twice count once."""
        if metrics and metrics != self.newest:
            self.newest = metrics
            self.skews_ms.append(abs(float(metrics.get("skew_ms") or 0.0)))

    @property
    def skew_ms_p95(self) -> float | None:
        """95 % of the looks were at or below it; None before the first."""
        ordered = sorted(self.skews_ms)
        return round(ordered[int(0.95 * (len(ordered) - 1))], 2) if ordered else None


def summarise(broadcast: Broadcast, figures: OnAirFigures) -> dict[str, Any]:
    """The summary line of a demo that has ended."""
    first, ended = broadcast.first_frame_at, broadcast.ended_at
    on_air = (ended - first).total_seconds() if first and ended else 0.0
    recording = broadcast.recordings.order_by("created_at").first()
    goodbye = broadcast.events.filter(kind="broadcast.state").order_by("-sequence").first()
    final = {**figures.newest, **(goodbye.data.get("summary") or {} if goodbye else {})}
    return {
        "seconds_on_air": round(on_air, 1),
        "frames": final.get("frames", 0),
        "held": final.get("held", 0),
        "dropped": final.get("dropped", 0),
        "av_skew_ms_p95": figures.skew_ms_p95,
        "first_frame_ms": _first_frame_ms(broadcast),
        "recording": str(settings.RECORDINGS_DIR / recording.path) if recording else None,
    }


def _first_frame_ms(broadcast: Broadcast) -> int | None:
    first, started = broadcast.first_frame_at, broadcast.started_at
    return round((first - started).total_seconds() * 1000) if first and started else None
