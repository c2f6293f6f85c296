"""What hosts, operators and `up` are told of the model servers, read from the files they write."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client as Browser
from django.urls import reverse

from avatars.bundles import engine_settings, present_servers
from inference.model_servers import is_model_server, list_servers, obstacle, read_state
from livestudio import doctor
from livestudio.management.commands.up import Site
from livestudio.metrics import exposition
from streams.services.readiness import obstacles
from tests.factories import Cast
from tests.streams.plans import make_show

pytestmark = pytest.mark.django_db

TINY = "cpu/musetalk_tiny/v1.5/kl"
SAID = {
    "state": "ready", "device": "NVIDIA H100", "engine": "musetalk_tiny", "version": "v1.5",
    "decoder": "kl", "load": 0.43, "reserved": 0.8, "free": 0.05, "on_air": 14, "fits": 14,
    "room": 0, "frame_ms": 2.25, "load_each": 0.06, "late": 3,
}  # fmt: skip


@pytest.fixture
def served(settings: Any, tmp_path: Path) -> Path:
    """A site with one model server; returns where its state lies."""
    settings.FACE_NETWORKS, settings.MODEL_SERVERS = "server", [TINY]
    settings.DATA_DIR, settings.TEST_ENGINES = tmp_path, True
    (tmp_path / "gpu").mkdir()
    return tmp_path / "gpu" / "0.json"


def say(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**SAID, "pid": os.getpid(), "at": time.time(), **values}))


def filmed_show(cast: Cast, **avatar: Any) -> Any:
    show = make_show(cast.organization, cast.alice)
    show.avatar.engine = "musetalk_tiny"
    show.avatar.settings = avatar
    show.avatar.save()
    return show


def gpu_obstacles(show: Any) -> list[str]:
    return [detail.message for detail in obstacles(show) if detail.code == "gpu_full"]


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("cuda:0/musetalk/v1.5/kl", True),
        ("auto/musetalk/v1/tiny", True),
        ("cpu/musetalk_tiny/v1.5/kl", True),
        ("cuda:1/wav2lip256", True),
        ("cuda:1/wav2lip256/v1.5/kl", False),
        ("cuda:1/musetalk", False),
        ("cuda:0", False),
        ("gpu/musetalk/v1.5/kl", False),
        ("cuda:0/puppet/v1.5/kl", False),
        ("cuda:0/musetalk/v2/kl", False),
        ("cuda:0/musetalk/v1.5/vae", False),
        ("cuda:0/musetalk/v1.5/kl/more", False),
    ],
)
def test_setting_names_device_engine_version_and_decoder(text: str, is_one: bool) -> None:
    assert is_model_server(text) is is_one


def test_process_sees_its_own_gpu_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    servers = list_servers(["cuda:3/musetalk/v1.5/kl", "cpu/musetalk/v1/tiny"], tmp_path)

    first, second = (server.command(tmp_path / "weights") for server in servers)

    assert servers[0].environment() == {"CUDA_VISIBLE_DEVICES": "3"}
    assert servers[1].environment() == {}
    assert first[first.index("--device") + 1] == "cuda"
    assert second[second.index("--decoder") + 1] == "tiny"
    assert servers[0].socket != servers[1].socket


def test_server_of_an_engine_with_one_network_takes_presenters_of_any_version(
    tmp_path: Path,
) -> None:
    (server,) = servers = list_servers(["cuda/wav2lip256"], tmp_path)

    assert server.networks == "wav2lip256"
    assert obstacle(servers, "wav2lip256", "v1.5", "kl", 25.0) is None
    refused = obstacle([], "wav2lip256", "v1.5", "kl", 25.0)
    assert refused is not None
    assert refused.startswith("No model server runs wav2lip256; the operator")


@pytest.mark.parametrize(("device", "seen"), [("cuda:1", "GPU-5a"), ("cuda:2", "-1")])
def test_gpu_is_one_of_those_that_the_operator_leaves_visible(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, seen: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-5a")
    (server,) = list_servers([f"{device}/musetalk/v1.5/kl"], tmp_path)

    assert server.environment() == {"CUDA_VISIBLE_DEVICES": seen}


def test_show_is_refused_when_no_gpu_has_room_and_says_how_many_fit(
    cast: Cast, served: Path
) -> None:
    say(served)

    (reason,) = gpu_obstacles(filmed_show(cast))

    assert reason.startswith("NVIDIA H100 is full: it carries 14 broadcasts of 25 pictures")
    assert "End one of them" in reason


def test_show_with_few_pictures_a_second_fits_where_one_with_many_does_not(
    cast: Cast, served: Path
) -> None:
    say(served)
    show = filmed_show(cast)
    show.profile = "mobile"

    assert gpu_obstacles(show) == []


@pytest.mark.parametrize("values", [{"free": 0.3}, {"state": "loading"}, {"at": 0.0}])
def test_show_starts_where_there_is_room_or_will_be(
    cast: Cast, served: Path, values: dict[str, Any]
) -> None:
    """A server that loads or is started again keeps no show from its idle picture."""
    say(served, **values)

    assert gpu_obstacles(filmed_show(cast)) == []


def test_show_is_refused_when_the_networks_cannot_be_loaded(cast: Cast, served: Path) -> None:
    say(served, state="failed", message="MuseTalk lacks weights.")

    (reason,) = gpu_obstacles(filmed_show(cast))

    assert reason == "The model server cannot load its networks: MuseTalk lacks weights."


def test_show_is_refused_when_no_server_runs_its_networks(cast: Cast, served: Path) -> None:
    say(served)

    (reason,) = gpu_obstacles(filmed_show(cast, decoder="tiny"))

    assert reason.startswith("No model server runs musetalk_tiny v1.5 with the decoder tiny")


def test_device_that_is_too_slow_says_what_it_manages(cast: Cast, served: Path) -> None:
    say(served, device="the processor", load_each=1.7, free=0.85, on_air=0, fits=0)

    (reason,) = gpu_obstacles(filmed_show(cast))

    assert reason.startswith("The processor is too slow for this presenter at 25 pictures a second")
    assert "manages about 12" in reason


def test_presenters_without_networks_and_local_mode_ask_nobody(
    cast: Cast, served: Path, settings: Any
) -> None:
    say(served)
    drawn, filmed = make_show(cast.organization, cast.alice), filmed_show(cast)
    assert gpu_obstacles(drawn) == []
    assert "servers" not in engine_settings(drawn.avatar)
    assert engine_settings(filmed.avatar)["servers"] == [str(served.with_suffix(".sock"))]

    settings.FACE_NETWORKS = "local"

    assert gpu_obstacles(filmed) == []
    assert "servers" not in engine_settings(filmed.avatar)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"state": "ready"}', '{"state": "ready", "at": "soon", "pid": 1}']
)
def test_state_that_cannot_be_read_means_nobody_is_there(served: Path, text: str) -> None:
    served.write_text(text)

    assert read_state(present_servers()[0]).state == "away"


def test_processor_is_called_so_whether_its_server_runs_or_not(served: Path) -> None:
    """`cpu` is a word of the setting, not of hosts."""
    assert read_state(present_servers()[0]).device_name == "the processor"
    say(served, device="the processor")
    assert read_state(present_servers()[0]).device_name == "the processor"


def test_state_of_a_dead_process_means_nobody_is_there(served: Path) -> None:
    say(served, pid=2**22 + 1)

    assert read_state(present_servers()[0]).state == "away"


def test_up_starts_each_server_under_its_life_pipe(served: Path, settings: Any) -> None:
    settings.MODEL_SERVERS = [TINY, "cuda:1/musetalk/v1.5/tiny"]
    site = Site("127.0.0.1", 8000, is_quiet=False)

    commands = {child.name: child.command for child in site.children}

    assert list(commands) == ["gpu-0", "gpu-1", "web", "control"]
    assert commands["gpu-1"][2:5] == ["run_model_server", "1", "--life-fd"]
    os.close(site._life_read)
    os.close(site._life_write)


def test_command_becomes_the_server_without_secrets(
    served: Path, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    monkeypatch.setenv("SECRET_KEY", "must not be seen")
    # By this the numbers of GPUs are counted.
    monkeypatch.setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    started: list[Any] = []
    monkeypatch.setattr(os, "execve", lambda *given: started.append(given))
    monkeypatch.setattr(os, "chdir", lambda folder: None)

    call_command("run_model_server", "0")

    ((_, command, environment),) = started
    assert command[1:3] == ["-m", "inference.gpu"]
    assert environment["TEST_ENGINES"] == "1"
    assert environment["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert "SECRET_KEY" not in environment
    with pytest.raises(CommandError, match="MODEL_SERVERS lists 1"):
        call_command("run_model_server", "7")
    settings.FACE_NETWORKS = "local"
    with pytest.raises(CommandError, match="FACE_NETWORKS=local"):
        call_command("run_model_server", "0")


@pytest.mark.parametrize(
    ("values", "level", "words"),
    [
        ({}, "ok", "14 on air, room for 0 more of 14, 2.25 ms a face, 43 % busy"),
        ({"state": "loading"}, "ok", "still loading"),
        ({"state": "failed", "message": "no weights"}, "note", "no weights"),
        ({"at": 0.0}, "note", "not running"),
    ],
)
def test_doctor_tells_of_each_server(
    served: Path, values: dict[str, Any], level: str, words: str
) -> None:
    say(served, **values)

    (finding,) = doctor.check_model_servers()

    assert (finding.part, finding.level) == ("model server gpu-0", level)
    assert words in finding.text


def test_doctor_says_where_networks_run_without_servers() -> None:
    (finding,) = doctor.check_model_servers()

    assert "FACE_NETWORKS=local" in finding.text


def test_metrics_have_load_time_and_room_of_each_server(served: Path) -> None:
    say(served)

    text = exposition().decode()

    for line in (
        'load{server="gpu-0"} 0.43',
        'frame_ms{server="gpu-0"} 2.25',
        'room{server="gpu-0"} 0.0',
    ):
        assert f"livestudio_model_server_{line}" in text


def test_live_page_shows_a_row_per_gpu_to_superusers_alone(cast: Cast, served: Path) -> None:
    say(served)
    bob, root = (
        Browser(headers={"accept-language": "en"}),
        Browser(headers={"accept-language": "zh-CN"}),
    )
    bob.force_login(cast.bob)
    cast.alice.is_superuser = cast.alice.is_staff = True
    cast.alice.save()
    root.force_login(cast.alice)

    pages = [each.get(reverse("admin:live")).content.decode() for each in (bob, root)]

    assert "NVIDIA H100" not in pages[0]
    for words in ("NVIDIA H100", "模型服务器", "43 %", "2.3 ms", "0 / 14"):
        assert words in pages[1]
    cards = root.get(reverse("admin:live_cards")).content.decode()
    assert 'id="gpus"' in cards
