"""A product card on air: its QR code is read from the decoded stream, during its cue only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import pytest
from PIL import Image

from benchmarks.rtmp_reader import RtmpReader, SeenPicture
from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

pytestmark = [pytest.mark.live, pytest.mark.long]

URL = "https://shop.example.org/p/8321"
SENTENCES = 3


def test_qr_code_is_on_air_exactly_while_its_cue_is(
    studio: Studio, rtmp_server: RtmpServer, tmp_path: Path
) -> None:
    """It is looked for twice a second; a second or two after each change is not judged."""
    platform, seen = studio.platform, list[tuple[float, str]]()
    detector = cv2.QRCodeDetector()

    def read(frame: Any, picture: SeenPicture) -> None:
        if not seen or picture.unix_ms - seen[-1][0] > 500:
            code = detector.detectAndDecode(frame.to_ndarray(format="gray"))[0]
            seen.append((picture.unix_ms, code))

    photo = tmp_path / "tea.png"
    Image.new("RGB", (600, 600), (40, 90, 160)).save(photo)
    card = {"title": "Tea", "price": "¥9.9", "url": URL, "picture": platform.upload("card", photo)}
    show = platform.make_show(
        avatar=platform.make_avatar("puppet"),
        voice=platform.make_voice("espeak", gender="female"),
        profile="mobile",
        outputs=[platform.make_output(rtmp_server.push_url, "card")],
        cues=[
            {"text": "Good evening, everybody, and welcome to the show."},
            {"text": "This tea grows high up in the mountains of the north.", "card": card},
            {"text": "And now something else, which has no card at all."},
        ],
    )
    with (
        RtmpReader(rtmp_server.url("card"), wants_cards=False, on_picture=read),
        platform.on_air(show) as broadcast,
    ):
        platform.wait_until_idle(broadcast)
        last = seen[-1][0]
        wait_until(lambda: seen[-1][0] > last + 2000, "two more seconds without a cue")
        clock = platform.clock(broadcast)
        said = platform.utterances(broadcast)

    assert len(said) == SENTENCES
    spans = [(clock.unix_of(u["media_time_ms"]), u["duration_ms"]) for u in said]
    start, length = spans[1]
    during = [code for at, code in seen if start + 1000 < at < start + length]
    before = [code for at, code in seen if at < start]
    after = [code for at, code in seen if at > start + length + 2000]
    assert during
    assert set(during) == {URL}
    assert set(before) == set(after) == {""}
