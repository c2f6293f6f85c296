"""The Edge voices against a local server that speaks the service's protocol."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from inference.engines.base import EngineError, Samples, SpeechRequest, Timing
from inference.engines.speech.edge.engine import EdgeEngine
from inference.engines.speech.remote.deadlines import Deadlines
from tests.inference.speech.edge.service import LEAD_SECONDS, Service, serve, speech_of

ZH = "大家好，欢迎来到直播间，今天一起看保温杯。"
EN = "Hello everyone & welcome to the show."


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with serve(Service()) as running:
        monkeypatch.setattr("edge_tts.communicate.WSS_URL", running.address)
        yield running


def speak(text: str, language: str, **more: Any) -> tuple[Samples, list[Timing]]:
    chunks = list(EdgeEngine(Deadlines(4, 15)).synthesize(SpeechRequest(text, language, **more)))
    samples = np.concatenate([chunk.samples for chunk in chunks])
    return samples, [timing for chunk in chunks for timing in chunk.timings]


@pytest.mark.parametrize(("text", "language"), [(ZH, "zh-CN"), (EN, "en-US")])
def test_sound_comes_without_silence_and_words_at_their_time(
    service: Service, text: str, language: str
) -> None:
    samples, timings = speak(text, language)

    original, words = speech_of(text)
    loud = np.flatnonzero(np.abs(original.astype(int)) >= 64)
    true_seconds = (loud[-1] - loud[0]) / 24_000
    starts = {w["Data"]["text"]["Text"]: w["Data"]["Offset"] / 1e7 - LEAD_SECONDS for w in words}
    found = {text[t.position :]: t.at_seconds for t in timings}
    assert len(samples) / 24_000 == pytest.approx(true_seconds + 0.025, abs=0.035)
    assert {t.kind for t in timings} == {"word"}
    assert len(timings) >= 4
    for rest, at_seconds in found.items():
        name = max((word for word in starts if rest.startswith(word)), key=len)
        assert at_seconds == pytest.approx(starts[name], abs=0.025)


def test_words_keep_their_place_in_the_text_that_was_written(service: Service) -> None:
    text = "重庆的朋友们，欢迎来到直播间。"

    _, timings = speak(text, "zh-CN", settings={"lexicon": [["重庆", "chong2 qing4 chong2"]]})

    assert service.requests[0]["text"] == text.replace("重庆", "崇庆崇")
    assert {text[t.position] for t in timings} <= set(text)
    assert max(t.position for t in timings) < len(text)
    assert text.index("欢迎") in {t.position for t in timings}


def test_the_delay_of_the_codec_is_cut(service: Service) -> None:
    samples, _ = speak(EN, "en-US")

    original = speech_of(EN)[0].astype(float)
    start = np.flatnonzero(np.abs(original) >= 64)[0]
    reference = original[start : start + 12_000]
    window = np.concatenate((np.zeros(2400), samples[:16_800].astype(float)))
    lag = int(np.argmax(np.correlate(window, reference, "valid"))) - 2400
    assert abs(lag - 120) < 96  # the 5 ms lead that is kept, to 4 ms


def test_settings_and_emotion_become_prosody(service: Service) -> None:
    settings = {"gender": "male", "rate": 1.2, "pitch": -10, "volume": 20}

    speak(ZH, "zh-CN", settings=settings, emotion=5)
    speak(EN, "en-US")

    first, second = service.requests
    assert "zh-CN, YunxiNeural" in first["voice"]
    assert (first["rate"], first["pitch"], first["volume"]) == ("+34%", "+2Hz", "+20%")
    assert "EmmaMultilingualNeural" in second["voice"]
    assert (second["rate"], second["pitch"], second["volume"]) == ("+0%", "+0Hz", "+0%")
    assert '"wordBoundaryEnabled":"true"' in first["config"]
    assert "&amp;" in second["text"]
    assert "-" in service.headers[0]["Sec-MS-GEC"]


@pytest.mark.parametrize(
    ("behaviour", "code", "words"),
    [
        ("refuse", "voice_refused", "403"),
        ("busy", "voice_busy", "too many"),
        ("no_audio", "voice_silent", "no sound"),
        ("mute", "voice_silent", "silence"),
        ("cut", "voice_cut", "less sound than words"),
        ("close", "voice_cut", "broke in the middle"),
        ("noise", "voice_", "voice service"),
        ("strange", "voice_protocol_changed", "unknown way"),
    ],
)
def test_what_goes_wrong_is_said_in_words(
    service: Service, behaviour: str, code: str, words: str
) -> None:
    service.behaviour = behaviour

    with pytest.raises(EngineError, match=words) as caught:
        speak(ZH, "zh-CN")

    assert caught.value.code.startswith(code)
    assert caught.value.retryable


def test_a_silent_server_is_given_up_at_the_deadline(service: Service) -> None:
    service.behaviour = "slow"
    began = time.monotonic()

    with pytest.raises(EngineError, match="no sound within 0.5 s") as caught:
        list(EdgeEngine(Deadlines(0.5, 600)).synthesize(SpeechRequest(ZH, "zh-CN")))

    assert caught.value.code == "voice_slow"
    assert time.monotonic() - began >= 0.5
    assert service.gone.wait(60)


def test_a_service_that_stops_inside_a_sentence_is_given_up(service: Service) -> None:
    service.behaviour = "stall"

    with pytest.raises(EngineError, match="stopped inside the sentence for 0.4 s") as caught:
        list(EdgeEngine(Deadlines(20, 60, 0.4)).synthesize(SpeechRequest(ZH, "zh-CN")))

    assert caught.value.code == "voice_slow"
    assert service.gone.wait(30)


def test_closing_drops_the_connection_while_the_server_is_silent(service: Service) -> None:
    service.behaviour = "slow"
    chunks = EdgeEngine().synthesize(SpeechRequest(ZH, "zh-CN"))

    assert len(next(chunks).samples) == 0  # a sign of life each 50 ms: the worker can cancel
    chunks.close()  # type: ignore[attr-defined]

    assert service.gone.wait(60)


def test_no_network_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"ws://127.0.0.1:{free.getsockname()[1]}/edge/v1?x=1"
    monkeypatch.setattr("edge_tts.communicate.WSS_URL", address)

    with pytest.raises(EngineError, match="internet") as caught:
        speak(ZH, "zh-CN")

    assert caught.value.code == "voice_unreachable"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"language": "fr-FR"}, "zh-CN and en-US"),
        ({"settings": {"voice": "Emma"}}, "zh-CN-XiaoxiaoNeural"),
        ({"settings": {"voice": 5}}, "is a text"),
        ({"settings": {"gender": "robot"}}, "female or male"),
        ({"settings": {"rate": 3}}, "0.5 to 2"),
        ({"settings": {"volume": True}}, "-50 to 50"),
        ({"emotion": 0}, "1 to 5"),
        ({"text": "……"}, "nothing to say"),
    ],
)
def test_bad_requests_are_refused_before_anything_is_sent(
    changes: dict[str, Any], words: str
) -> None:
    fields: dict[str, Any] = {"text": EN, "language": "en-US", **changes}

    with pytest.raises(EngineError, match=words) as caught:
        EdgeEngine().synthesize(SpeechRequest(**fields))

    assert not caught.value.retryable
