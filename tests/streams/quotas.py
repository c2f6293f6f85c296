"""What tests of quotas begin with: a plan, voices of each kind, what was used, what is counted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from accounts.roles import SYSTEM
from inference.protocol import Event
from metering.models import Counter, Plan
from metering.services import plans
from metering.services.counting import Holder, count
from streams.models import Broadcast
from tests.factories import Cast
from voices.models import Voice


def limit(cast: Cast, **limits: int) -> None:
    plan = Plan.objects.create(name="Small")
    plans.set_plan_limits(plan=plan, limits=limits, actor=SYSTEM)
    plans.assign_plan(organization=cast.organization, plan=plan, actor=SYSTEM)


def use(cast: Cast, meter: str, amount: int) -> None:
    count(Holder(cast.organization.pk, "earlier"), meter, amount, now=timezone.now())


def on_air_since(broadcast: Broadcast, seconds: float) -> Broadcast:
    since = timezone.now() - timedelta(seconds=seconds)
    Broadcast.objects.filter(pk=broadcast.pk).update(first_frame_at=since)
    broadcast.refresh_from_db()
    return broadcast


def server_voice(cast: Cast, name: str = "Vendor", **more: str) -> Voice:
    settings = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "voice": "v", **more}
    return Voice.objects.create(
        organization=cast.organization, name=name, engine="openai_speech",
        language="zh-CN", settings=settings,
    )  # fmt: skip


def token_voice(cast: Cast) -> Voice:
    return server_voice(cast, "Billed by tokens", stream_format="sse")


def built_in_voice(cast: Cast) -> Voice:
    voice: Voice = Voice.objects.filter(organization=cast.organization, engine="espeak")[0]
    return voice


def sums(meter: str = "broadcast_minutes") -> tuple[int, int]:
    """Used and reserved over all days; a test may run over midnight."""
    rows = Counter.objects.filter(meter=meter).values_list("used", "reserved")
    return sum(used for used, _ in rows), sum(reserved for _, reserved in rows)


def made(sequence: int, engine: str, characters: int, **more: Any) -> Event:
    data = {"voice": "v", "engine": engine, "characters": characters, **more}
    return Event(sequence, "speech.made", timezone.now().isoformat(), data)
