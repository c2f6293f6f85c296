"""Voices of compatible servers, against a local one with its errors."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from inference.engines.base import EngineError, Samples, SpeechChunk, SpeechRequest
from inference.engines.speech.openai_speech.engine import OpenAISpeechEngine
from inference.engines.speech.openai_speech.sound import WavDecoder
from inference.engines.speech.remote.deadlines import Deadlines
from inference.engines.speech.remote.mp3 import Mp3Decoder, encode_mp3
from inference.spent_tokens import MOST_TOKENS
from tests.inference.speech.openai_speech.server import (
    KEY,
    TOKENS,
    Server,
    done_event,
    serve,
    sound_of,
)

EN = "Hello everyone, welcome to the show."


@pytest.fixture
def server() -> Iterator[Server]:
    with serve(Server()) as running:
        yield running


def speak(server: Server, *, emotion: int = 3, **settings: Any) -> Samples:
    chunks = chunks_of(server, emotion, settings)
    return np.concatenate([chunk.samples for chunk in chunks])


def chunks_of(server: Server, emotion: int, settings: dict[str, Any]) -> list[SpeechChunk]:
    values = {"base_url": server.base_url, "api_key": KEY, "egress_allow": ["loopback"]}
    request = SpeechRequest(EN, "en-US", {**values, **settings}, emotion)
    return list(OpenAISpeechEngine(Deadlines(4, 15)).synthesize(request))


def spent(server: Server, stream_format: str = "sse") -> int:
    """The tokens of a sentence that is heard to its end."""
    chunks = chunks_of(server, 3, {"stream_format": stream_format})
    seconds = sum(len(chunk.samples) for chunk in chunks) / 48_000
    assert seconds == pytest.approx(true_seconds(), abs=0.01)
    return sum(chunk.tokens for chunk in chunks)


def true_seconds() -> float:
    original = sound_of(EN)
    loud = np.flatnonzero(np.abs(original.astype(int)) >= 64)
    return float((loud[-1] - loud[0]) / 22_050 + 0.025)


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
@pytest.mark.parametrize("response_format", ["wav", "pcm", "mp3"])
def test_every_format_gives_the_same_speech(
    server: Server, response_format: str, stream_format: str
) -> None:
    samples = speak(
        server,
        response_format=response_format,
        stream_format=stream_format,
        sample_rate_hz=22_050,
    )

    loudness = np.sqrt((samples.astype(float) ** 2).mean())
    assert len(samples) / 48_000 == pytest.approx(true_seconds(), abs=0.03)
    assert 800 < loudness < 9000
    assert server.keys == [f"Bearer {KEY}"]


def test_events_tell_the_tokens_of_a_sentence_and_raw_sound_does_not(server: Server) -> None:
    assert (spent(server), spent(server, "audio")) == (TOKENS, 0)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ('{"input_tokens": 14, "output_tokens": 101}', 115),
        ('{"input_tokens": 14, "output_tokens": 101, "total_tokens": null}', 115),
        ('{"output_tokens": 101.0}', 101),
        # No counts: they are left out, whatever stands beside them.
        ('{"input_tokens": true, "output_tokens": "101", "total_tokens": -5}', 0),
        ('{"input_tokens": [7], "output_tokens": {"a": 1}, "total_tokens": 12}', 12),
        ('{"total_tokens": NaN}', 0),
        ('{"total_tokens": -Infinity}', 0),
        ("{}", 0),
        ("null", 0),
        ('"many"', 0),
        ("[1, 2]", 0),
        # No sentence costs so much: a broken counter is not to use up an organization's day.
        ('{"total_tokens": 100001}', MOST_TOKENS),
        ('{"total_tokens": Infinity}', MOST_TOKENS),
        ('{"input_tokens": 90000, "output_tokens": 90000}', MOST_TOKENS),
        (f'{{"total_tokens": {"9" * 5000}}}', MOST_TOKENS),
    ],
)
def test_tokens_that_cannot_be_believed_cost_no_sentence(
    server: Server, usage: str, tokens: int
) -> None:
    server.done = done_event(usage)

    assert spent(server) == tokens


def test_an_end_without_usage_is_an_end(server: Server) -> None:
    server.done = '{"type": "speech.audio.done"}'

    assert spent(server) == 0


@pytest.mark.parametrize("size", [None, 0, 0xFFFFFFFF, 0x7FFFFFFF - 36])
@pytest.mark.parametrize("channels", [1, 2])
def test_wav_headers_of_streaming_servers_are_understood(
    server: Server, size: int | None, channels: int
) -> None:
    server.wav_size, server.channels = size, channels

    samples = speak(server)

    assert len(samples) / 48_000 == pytest.approx(true_seconds(), abs=0.01)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 24_000, 32_000, 44_100, 48_000])
def test_any_rate_of_the_header_is_resampled(server: Server, rate_hz: int) -> None:
    server.rate_hz = rate_hz

    samples = speak(server)

    assert len(samples) / 48_000 == pytest.approx(true_seconds() * 22_050 / rate_hz, abs=0.06)


def test_float_wav_in_single_bytes_is_read() -> None:
    wanted = (np.sin(np.arange(4000) / 9) * 0.5).astype("<f4")
    form = bytes.fromhex("0300 0100 c05d0000 00770100 0400 2000".replace(" ", ""))
    data = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0" + form + b"data\0\0\0\0" + wanted.tobytes()
    decoder = WavDecoder()

    heard = np.concatenate([decoder.push(data[i : i + 1]) for i in range(len(data))])

    assert decoder.rate_hz == 24_000
    assert np.abs(heard - wanted * 32768).max() <= 1
    assert len(decoder.finish()) == 0


def test_the_request_is_what_the_interface_asks_for(server: Server) -> None:
    speak(server, model="tts-x", voice="nova", speed=1.25, instructions="Kindly.", emotion=5)
    speak(server)

    assert server.bodies[0] == {
        "input": EN,
        "voice": "nova",
        "response_format": "wav",
        "model": "tts-x",
        "speed": 1.35,
        "instructions": "Kindly. Speak with great excitement.",
    }
    assert server.bodies[1] == {"input": EN, "voice": "alloy", "response_format": "wav"}


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("missing_bytes", [0, 1, 40])
def test_an_mp3_that_ends_inside_a_frame_is_known(rate_hz: int, missing_bytes: int) -> None:
    sound = np.random.default_rng(1).normal(0, 3000, rate_hz).astype(np.int16)
    data = encode_mp3(sound, rate_hz)
    decoder = Mp3Decoder()

    decoder.push(data[: len(data) - missing_bytes])
    decoder.finish()

    assert decoder.is_cut == (missing_bytes > 0)


def test_listed_words_go_out_as_they_are_to_be_said(server: Server) -> None:
    speak(server, lexicon=[["show", "shoah"]])

    assert server.bodies[0]["input"] == EN.replace("show", "shoah")


@pytest.mark.parametrize(
    ("behaviour", "settings", "code", "words"),
    [
        ("401", {}, "voice_key_refused", "API key"),
        ("403", {}, "voice_key_refused", "API key"),
        ("404", {}, "voice_not_found", "model"),
        ("400", {}, "voice_refused", "no good"),
        ("422", {}, "voice_refused", "422"),
        ("half_a_character", {}, "voice_refused", "is bad"),
        ("deep", {}, "voice_refused", "400"),
        ("429", {}, "voice_busy", "too many"),
        ("500", {}, "voice_server_failed", "500"),
        ("503", {}, "voice_server_failed", "503"),
        ("error_in_200", {}, "voice_server_failed", "model not loaded"),
        ("page", {}, "voice_server_failed", "error"),
        ("elsewhere", {}, "voice_refused", "URL"),
        ("empty", {}, "voice_silent", "without any sound"),
        ("silent", {}, "voice_silent", "silence"),
        ("cut", {}, "voice_cut", "missing"),
        ("cut", {"response_format": "pcm"}, "voice_cut", "middle of a sample"),
        ("short", {"response_format": "pcm"}, "voice_cut", "too little"),
        ("short", {"response_format": "mp3"}, "voice_cut", "middle of a frame"),
        ("hang_up", {}, "voice_cut", "broke off"),
        ("error_event", {"stream_format": "sse"}, "voice_server_failed", "out of memory"),
        ("bad_event", {"stream_format": "sse"}, "voice_sound_broken", "without sound"),
        ("deep_event", {"stream_format": "sse"}, "voice_sound_broken", "not JSON"),
        ("no_done", {"stream_format": "sse"}, "voice_cut", "broke off"),
    ],
)
def test_what_goes_wrong_is_said_in_words_without_the_key(
    server: Server, behaviour: str, settings: dict[str, Any], code: str, words: str
) -> None:
    server.behaviour = behaviour

    with pytest.raises(EngineError, match=words) as caught:
        speak(server, **settings)

    assert caught.value.code == code
    assert caught.value.retryable
    assert KEY not in str(caught.value)
    assert str(caught.value).encode(), "no half of a character: it goes out as UTF-8"


@pytest.mark.parametrize("kind", ["audio/pcm;rate=16000", 'audio/L16; rate="16000"; channels=1'])
def test_a_rate_that_contradicts_the_setting_is_refused(server: Server, kind: str) -> None:
    server.content_type = kind

    with pytest.raises(EngineError, match="16000 Hz and the setting") as caught:
        speak(server, response_format="pcm", sample_rate_hz=24_000)

    assert caught.value.code == "voice_wrong_rate"
    assert len(speak(server, response_format="pcm", sample_rate_hz=16_000)) > 48_000


def test_an_impossible_rate_is_refused(server: Server) -> None:
    server.rate_hz = 1_000_000

    with pytest.raises(EngineError, match="cannot be right") as caught:
        speak(server)

    assert caught.value.code == "voice_wrong_rate"


def test_something_else_than_the_format_asked_for_is_refused() -> None:
    with pytest.raises(EngineError, match="not a WAV") as caught:
        list(WavDecoder().push(b"ID3" + bytes(40)))

    assert caught.value.code == "voice_sound_broken"


def test_a_slow_server_is_given_up_and_let_go(server: Server) -> None:
    server.behaviour = "slow"
    settings = {"base_url": server.base_url, "egress_allow": ["loopback"]}
    engine = OpenAISpeechEngine(Deadlines(0.4, 600))

    with pytest.raises(EngineError, match="no sound within 0.4 s") as caught:
        list(engine.synthesize(SpeechRequest(EN, "en-US", settings)))

    assert caught.value.code == "voice_slow"
    assert server.gone.wait(60)


@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_a_server_that_stops_inside_a_sentence_is_given_up(
    server: Server, stream_format: str
) -> None:
    server.behaviour = "stall"
    settings = {"base_url": server.base_url, "egress_allow": ["loopback"]}
    request = SpeechRequest(EN, "en-US", {**settings, "stream_format": stream_format})

    with pytest.raises(EngineError, match="stopped inside the sentence for 0.4 s") as caught:
        list(OpenAISpeechEngine(Deadlines(20, 60, 0.4)).synthesize(request))

    assert caught.value.code == "voice_slow"
    assert server.gone.wait(30)


@pytest.mark.parametrize("response_format", ["pcm", "wav"])
def test_a_sound_without_an_end_is_given_up_before_it_fills_the_memory(
    server: Server, response_format: str
) -> None:
    server.behaviour, server.wav_size = "endless", 0
    settings = {"base_url": server.base_url, "egress_allow": ["loopback"]}
    request = SpeechRequest(EN, "en-US", {**settings, "response_format": response_format})
    heard: list[int] = []
    chunks = OpenAISpeechEngine(Deadlines(20, 5)).synthesize(request)

    with pytest.raises(EngineError, match=r"gave over \d+ s of sound") as caught:
        heard.extend(len(chunk.samples) for chunk in chunks)

    assert caught.value.code == "voice_endless"
    assert sum(heard) < 300 * 48_000
    assert server.gone.wait(30)


def test_a_wav_header_without_an_end_is_refused() -> None:
    decoder = WavDecoder()
    decoder.push(b"RIFF\0\0\0\0WAVE")

    with pytest.raises(EngineError, match="no end"):
        list(map(decoder.push, 100 * [b"LIST" + struct.pack("<I", 60_000) + bytes(60_000)]))


def test_closing_lets_the_server_go(server: Server) -> None:
    server.behaviour = "slow"
    settings = {"base_url": server.base_url, "egress_allow": ["loopback"]}
    chunks = OpenAISpeechEngine().synthesize(SpeechRequest(EN, "en-US", settings))

    while not server.bodies:
        assert len(next(chunks).samples) == 0
    chunks.close()  # type: ignore[attr-defined]

    assert server.gone.wait(60)


@pytest.mark.parametrize("allow", [[], ["10.0.0.0/8"]])
def test_an_address_inside_is_refused_unless_the_site_allows_it(
    server: Server, allow: list[str]
) -> None:
    with pytest.raises(EngineError, match="this machine itself") as caught:
        speak(server, egress_allow=allow)

    assert caught.value.code == "voice_unreachable"
    assert server.bodies == []


def test_a_server_that_is_not_there_is_named(server: Server) -> None:
    with pytest.raises(EngineError, match="Is it running") as caught:
        speak(server, base_url="http://127.0.0.1:9/v1")

    assert caught.value.code == "voice_unreachable"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": ""}, "base_url"),
        ({"response_format": "opus"}, "wav or pcm or mp3"),
        ({"stream_format": "ws"}, "audio or sse"),
        ({"speed": 9}, "0.25 to 4"),
        ({"sample_rate_hz": 100}, "8000 to 96000"),
        ({"voice": 7}, "is a text"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_sent(
    server: Server, settings: dict[str, Any], words: str
) -> None:
    with pytest.raises(EngineError, match=words) as caught:
        speak(server, **settings)

    assert not caught.value.retryable
    assert server.bodies == []
