"""What stands in the picture all the time, and a clock that is right to the sample."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.media.overlay import OverlayStack
from inference.overlay_spec import ClockSpec, LogoSpec, LowerThirdSpec, OverlaySpec
from inference.protocol import RenditionSpec
from inference.runner.overlays import TITLE_SECONDS, Backdrop, _time_of

RENDITION = RenditionSpec("main", 640, 360, 1920, 500)
NOON = 1_750_000_000.0 // 86_400 * 86_400 + 12 * 3600


class Air:
    """Overlays at a media position and a wall clock that the test sets."""

    def __init__(self, spec: OverlaySpec, now: float = NOON) -> None:
        self.position, self.now = 480_000, now
        self.overlays = OverlayStack()
        self.told: list[str] = []
        self.backdrop = Backdrop(
            spec,
            RENDITION,
            self.overlays,
            lambda: self.position,
            self.told.append,
            now=lambda: self.now,
        )

    def shown(self, layer: str, sample: int) -> bool:
        return any(item.shows(sample, 0) for item in self.overlays._layers[layer])

    async def clock_starts(self, count: int) -> list[int]:
        """From which samples the first times of the clock show."""
        async with asyncio.timeout(60):
            while len(self.overlays._layers["clock"]) < count:
                await asyncio.sleep(0.01)
        return [item.from_sample for item in self.overlays._layers["clock"]]


def logo_file(folder: Path) -> str:
    path = folder / "logo.png"
    Image.new("RGBA", (200, 80), "red").save(path)
    return str(path)


async def test_all_of_it_stays_and_the_title_goes(tmp_path: Path) -> None:
    air = Air(
        OverlaySpec(
            title="Evening",
            logo=LogoSpec(logo_file(tmp_path)),
            lower_third=LowerThirdSpec("Lin", "Host"),
        )
    )

    await air.backdrop.show()

    later = air.position + round(TITLE_SECONDS * 48_000)
    for layer in ("label", "logo", "lower_third"):
        assert air.shown(layer, 0), layer
        assert air.shown(layer, 10**9), layer
    assert air.shown("title", later - 1)
    assert not air.shown("title", later)


async def test_logo_whose_end_was_lost_with_the_power_is_told(tmp_path: Path) -> None:
    """The file has its length, and zeros where nothing was written any more."""
    path = tmp_path / "logo.png"
    noise = np.random.default_rng(1).integers(0, 255, (300, 300, 4), np.uint8)
    Image.fromarray(noise).save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:65_600] + bytes(len(whole) - 65_600))
    air = Air(OverlaySpec(logo=LogoSpec(str(path))))

    await air.backdrop.show()

    assert air.told == ["the logo cannot be read"]
    assert air.shown("label", 0)


async def test_lost_logo_is_told_and_blank_texts_are_left_out() -> None:
    air = Air(OverlaySpec(label_text="", logo=LogoSpec("/nowhere/logo.png")))

    await air.backdrop.show()

    assert air.overlays.due(air.position, 0) == []
    assert air.told == ["the logo cannot be read"]


async def test_clock_changes_on_the_second_and_is_drawn_before() -> None:
    spec = OverlaySpec(clock=ClockSpec("second", "Asia/Shanghai"))
    air = Air(spec, NOON + 0.75)  # the next second is due in a quarter of one

    await air.backdrop.show()
    now, following = await air.clock_starts(2)
    air.backdrop.close()

    assert now == air.position - 36_000
    assert following == air.position + 12_000


async def test_clock_catches_up_after_the_machine_stood_still() -> None:
    air = Air(OverlaySpec(clock=ClockSpec("minute", "UTC")), NOON + 59.7)
    await air.backdrop.show()
    await air.clock_starts(2)

    air.now = NOON + 600.5
    starts = await air.clock_starts(3)
    air.backdrop.close()

    assert starts[2] == air.position - 24_000


@pytest.mark.parametrize(
    ("zone", "text"),
    [("Asia/Shanghai", "20:00"), ("America/New_York", "08:00"), ("Mars/Olympus", "12:00")],
)
def test_clock_tells_the_time_of_its_zone(zone: str, text: str) -> None:
    assert _time_of(ClockSpec("minute", zone), NOON) == text
