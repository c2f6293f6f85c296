"""`manage.py doctor`: each gap is found, told, and weighed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from livestudio import doctor
from livestudio.doctor import Finding
from tests.factories import VoiceFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def free_port(settings: Any) -> Iterator[int]:
    """A port that a server can have, and nobody else is given meanwhile: it is held, unheard."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        settings.HOST = settings.LOCAL_ADDRESS = "127.0.0.1"
        settings.PORT = held.getsockname()[1]
        yield settings.PORT


def only(check: Any) -> Finding:
    (finding,) = list(check())
    return finding


@pytest.mark.usefixtures("free_port")
def test_doctor_finds_that_the_demo_can_run_here(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("doctor", "--json")

    found = {item["part"]: item for item in map(json.loads, capsys.readouterr().out.splitlines())}
    stops = [item for item in found.values() if item["level"] == "stop"]
    assert stops == []
    for part in ("voice zh-CN female", "voice en-US male", "presenter Lin", "encoder libx264"):
        assert found[part]["level"] == "ok", found[part]
    assert found["database"]["level"] == found["migrations"]["level"] == "ok"


def test_a_stopping_gap_ends_it_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def gap() -> Iterator[Finding]:
        yield Finding("port", "stop", "in use", "Set PORT.")

    def broken() -> Iterator[Finding]:
        raise RuntimeError("no such file")

    monkeypatch.setattr(doctor, "CHECKS", {"port": gap, "gpu": broken})

    with pytest.raises(SystemExit) as ended:
        call_command("doctor")

    said = capsys.readouterr().out
    assert ended.value.code == 1
    assert "STOP  port: in use\n      → Set PORT." in said
    assert "note  gpu: could not be examined: no such file" in said
    assert "1 gaps stop the demo" in said


def test_port_in_use_by_another_program_stops_the_demo(free_port: int) -> None:
    assert only(doctor.check_port).level == "ok"

    with socket.create_server(("127.0.0.1", free_port)) as server:
        server.settimeout(0.1)
        finding = only(doctor.check_port)

    assert finding.level == "stop"
    assert "PORT=8001" in finding.advice


def test_port_in_use_by_livestudio_itself_is_fine(free_port: int, live_server: Any) -> None:
    doctor.settings.PORT = live_server.thread.port

    assert only(doctor.check_port).text.endswith("running LiveStudio")


def test_udp_ports_in_use_are_told(settings: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        settings.ICE_UDP_PORTS = (port, port)

        findings = list(doctor.check_ice())

    assert findings[0].level == "stop"
    assert "ICE_UDP_PORTS" in findings[0].advice


@pytest.mark.parametrize(("free_mib", "level"), [(100, "stop"), (1000, "note"), (90_000, "ok")])
def test_disk_is_weighed(monkeypatch: pytest.MonkeyPatch, free_mib: int, level: str) -> None:
    usage = SimpleNamespace(free=free_mib * 1024 * 1024)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)

    assert only(doctor.check_disk).level == level


def test_missing_migrations_are_told() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'voices'")

    findings = {item.part: item for item in doctor.check_database()}

    assert findings["database"].level == "ok"
    assert findings["migrations"].level == "note"


def test_a_better_voice_is_advised_until_there_is_one() -> None:
    assert only(doctor.check_better_voices).level == "note"

    VoiceFactory(engine="edge")

    assert only(doctor.check_better_voices).level == "ok"


def test_redis_that_does_not_answer_stops_the_demo(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [settings.REDIS_URL]},
        }
    }

    finding = only(doctor.check_redis)

    assert finding.level == "stop"
    assert "REDIS_URL" in finding.advice


def test_studio_that_is_not_built_is_told(settings: Any, tmp_path: Path) -> None:
    settings.FRONTEND_DIST = tmp_path

    assert only(doctor.check_frontend).level == "note"


@pytest.mark.parametrize(
    ("gpus", "has_torch", "level", "words"),
    [
        ([], True, "note", "none was found"),
        (["NVIDIA H100, 81559 MiB"], False, "note", "PyTorch, which is missing"),
        (["NVIDIA H100, 81559 MiB"], True, "ok", "manage.py weights"),
    ],
)
def test_networks_that_cannot_run_here_are_a_gap(
    monkeypatch: pytest.MonkeyPatch, gpus: list[str], has_torch: bool, level: str, words: str
) -> None:
    monkeypatch.setattr(doctor, "_gpus", lambda: tuple(gpus))
    monkeypatch.setattr(doctor, "_is_there", lambda module: module != "torch" or has_torch)

    found = {finding.part: finding for finding in doctor.check_engines()}

    for name in ("face engine musetalk", "face engine wav2lip256"):
        assert (found[name].level, words in found[name].text) == (level, True)
        assert bool(found[name].advice) is (level == "note")
    assert found["face engine puppet"].level == "ok"


def test_gpu_is_named_when_the_driver_names_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100, 81559 MiB'\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    finding = only(doctor.check_gpu)

    assert (finding.level, finding.text) == ("ok", "NVIDIA H100, 81559 MiB")


def test_driver_is_asked_once_for_all_engines(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program, asked = tmp_path / "nvidia-smi", tmp_path / "asked"
    program.write_text(f"#!/bin/sh\necho asked >> {asked}\necho 'NVIDIA H100, 81559 MiB'\n")
    program.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    findings = [*doctor.check_engines(), *doctor.check_gpu()]

    assert [finding.text for finding in findings if finding.part == "gpu"]
    assert asked.read_text().splitlines() == ["asked"]


@pytest.mark.parametrize(
    ("setting", "told", "level", "words"),
    [
        ("auto", "ok", "ok", "on the GPU"),
        ("auto", "cannot be opened", "ok", "x264 encodes"),
        ("nvenc", "cannot be opened", "note", "x264 encodes"),
        ("x264", "cannot be opened", "ok", "not asked for"),
    ],
)
def test_encoder_of_a_gpu_is_missed_only_where_it_was_asked_for(
    settings: Any, monkeypatch: pytest.MonkeyPatch, setting: str, told: str, level: str, words: str
) -> None:
    settings.VIDEO_ENCODER = setting
    monkeypatch.setattr(doctor, "run_tool", lambda *asked: json.dumps({"h264_nvenc": told}))

    finding = only(doctor.check_encoders)

    assert finding.level == level
    assert words in finding.text
