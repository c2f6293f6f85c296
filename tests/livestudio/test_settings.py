"""The start: each environment variable is read, or ends the start with one clear line."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from livestudio import env
from livestudio.env import SettingError, generate_field_key

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "MODE": "production",
    "SECRET_KEY": "a-secret-of-the-tests-0123456789-abcdefghijklmnopqrstuvwxyz",
    "FIELD_KEYS": generate_field_key(),
    "ALLOWED_HOSTS": "studio.example.org",
    "DATABASE_URL": "mysql://user:pass@db.example.org:3306/livestudio",
    "REDIS_URL": "redis://redis.example.org:6379/0",
}
SHOW = (
    "import json; from livestudio import settings as s;"
    "print(json.dumps([s.MODE, s.DATABASES['default']['ENGINE'],"
    " s.CHANNEL_LAYERS['default']['BACKEND'], s.REGISTRATION, list(s.EGRESS_ALLOW), s.PORT]))"
)


def start(
    folder: Path, values: dict[str, str], *arguments: str
) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(folder),
        "PYTHONWARNINGS": "error",
        **values,
    }
    command = [sys.executable, *(arguments or ("manage.py", "check"))]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def settings_of(folder: Path, **values: str) -> list[Any]:
    done = start(folder, values, "-c", SHOW)
    assert done.returncode == 0, done.stderr
    shown: list[Any] = json.loads(done.stdout)
    return shown


def test_embedded_needs_no_variable(tmp_path: Path) -> None:
    assert settings_of(tmp_path) == [
        "embedded",
        "django.db.backends.sqlite3",
        "channels.layers.InMemoryChannelLayer",
        "open",
        ["loopback"],
        8000,
    ]


def test_embedded_serves_without_a_folder_of_static_files(tmp_path: Path) -> None:
    serve = "from livestudio.asgi import application"

    done = start(tmp_path, {"STATIC_ROOT": str(tmp_path / "none")}, "-c", serve)

    assert (done.returncode, done.stderr) == (0, "")


def test_embedded_makes_its_secrets_once_for_its_user_alone(tmp_path: Path) -> None:
    settings_of(tmp_path)
    first = {name: (tmp_path / name).read_text() for name in ("secret_key", "field_keys")}
    settings_of(tmp_path)

    for name, value in first.items():
        assert (tmp_path / name).read_text() == value
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert len(first["secret_key"]) >= 50


def test_production_uses_its_servers_and_closes_the_door(tmp_path: Path) -> None:
    assert settings_of(tmp_path, **PRODUCTION) == [
        "production",
        "livestudio.common.mysql",
        "channels_redis.pubsub.RedisPubSubChannelLayer",
        "closed",
        [],
        8000,
    ]
    assert not (tmp_path / "secret_key").exists()


# (the environment, what the one line says). Each setting has at least one wrong value.
WRONG: list[tuple[dict[str, str], str]] = [
    ({"MODE": "staging"}, "MODE='staging' cannot be used. Allowed: embedded or production."),
    ({"PORT": "http"}, "PORT='http'"),
    ({"PORT": "70000"}, "1 to 65535"),
    ({"REGISTRATION": "maybe"}, "REGISTRATION='maybe' cannot be used. Allowed: open or invite"),
    ({"EMAIL_VERIFICATION": "yes"}, "EMAIL_VERIFICATION='yes' cannot be used. Allowed: off or"),
    ({**PRODUCTION, "EMAIL_VERIFICATION": "required"}, "set EMAIL_URL"),
    ({"EMAIL_URL": "mail.example.org:hidden"}, "EMAIL_URL='…'"),
    ({"EMAIL_URL": "smtp+tls://u:hidden@mail.example.org:x"}, "EMAIL_URL='smtp+tls://…'"),
    ({"LAUNCHER": "docker"}, "LAUNCHER='docker'"),
    ({"LAUNCHER": "kubernetes"}, "Allowed: local."),
    ({"TEST_ENGINES": "perhaps"}, "TEST_ENGINES='perhaps'"),
    ({"EGRESS_ALLOW": "loopback,everything"}, "EGRESS_ALLOW='everything'"),
    ({"ICE_SERVERS": "stun:x"}, "ICE_SERVERS='stun:x'"),
    ({"ICE_SERVERS": '[{"url": "stun:x"}]'}, "ICE_SERVERS="),
    ({"ICE_SERVERS": '[{"urls": 5}]'}, "ICE_SERVERS='…'"),
    ({"ICE_SERVERS": '[{"urls": ["http://x"], "secret": "hidden"}]'}, "ICE_SERVERS='…'"),
    ({"ICE_SERVERS": '[{"urls": "turn:x", "credential": 5}]'}, "ICE_SERVERS='…'"),
    ({"ICE_UDP_PORTS": "100-50"}, "ICE_UDP_PORTS='100-50'"),
    ({"ICE_UDP_PORTS": "²000-³000"}, "ICE_UDP_PORTS='²000-³000'"),
    ({"ICE_HOST_ADDRESSES": "0.0.0.0"}, "ICE_HOST_ADDRESSES='0.0.0.0'"),
    ({"ICE_PUBLIC_ADDRESS": "my-host"}, "ICE_PUBLIC_ADDRESS='my-host' cannot be used"),
    ({"ICE_HOST_ADDRESSES": "127.0.0.1,eth0"}, "ICE_HOST_ADDRESSES='eth0'"),
    ({"CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS='*'"),
    ({"CORS_ALLOWED_ORIGINS": "https://"}, "CORS_ALLOWED_ORIGINS='https://'"),
    ({"CORS_ALLOWED_ORIGINS": "https://a b"}, "CORS_ALLOWED_ORIGINS='https://a b'"),
    ({"CORS_ALLOWED_ORIGINS": "https://a:x"}, "CORS_ALLOWED_ORIGINS='https://a:x'"),
    ({"CORS_ALLOWED_ORIGINS": "https://a/b"}, "CORS_ALLOWED_ORIGINS='https://a/b'"),
    ({"HOST": "two words"}, "HOST='two words'"),
    ({"HOST": "*"}, "HOST='*'"),
    ({"ALLOWED_HOSTS": "https://studio.example.org"}, "ALLOWED_HOSTS='https://studio"),
    ({"ALLOWED_HOSTS": "studio.example.org:8000"}, "ALLOWED_HOSTS='studio.example.org:8000'"),
    ({"METRICS_ALLOW": "everybody"}, "METRICS_ALLOW='everybody'"),
    ({"MODEL_SERVERS": "cuda:0/musetalk"}, "MODEL_SERVERS='cuda:0/musetalk'"),
    ({"FACE_NETWORKS": "cloud"}, "FACE_NETWORKS='cloud'"),
    ({"VIDEO_ENCODER": "av1"}, "VIDEO_ENCODER='av1'"),
    ({"BROADCASTS_AT_ONCE": "0"}, "BROADCASTS_AT_ONCE='0'"),
    ({"ORGANIZATIONS_PER_OWNER": "0"}, "ORGANIZATIONS_PER_OWNER='0'"),
    ({"RECORDING_KEEP_DAYS": "-1"}, "RECORDING_KEEP_DAYS='-1'"),
    ({"RUN_FOLDER_KEEP_DAYS": "1.5"}, "RUN_FOLDER_KEEP_DAYS='1.5'"),
    ({"CACHE_MAX_MIB": "4 GB"}, "CACHE_MAX_MIB='4 GB'"),
    ({"WEB_THREADS": "٣"}, "WEB_THREADS='٣'"),
    ({"EMAIL_FROM": "LiveStudio"}, "EMAIL_FROM='LiveStudio'"),
    ({"EMAIL_FROM": "a@example.org\nBcc: b@example.org"}, "EMAIL_FROM='a@example.org"),
    ({"STATIC_ROOT": str(Path(__file__))}, "STATIC_ROOT='"),
    ({"DATABASE_URL": "postgres://u:hidden@h/d"}, "DATABASE_URL='postgres://…'"),
    ({"DATABASE_URL": "mysql://u:hidden@h:port/d"}, "DATABASE_URL='mysql://…'"),
    ({"DATABASE_URL": "mysql://u:hidden@h"}, "DATABASE_URL='mysql://…'"),
    ({"DATABASE_URL": "mysql://"}, "DATABASE_URL='mysql://…'"),
    ({"DATABASE_URL": "sqlite://"}, "DATABASE_URL='sqlite://'"),
    ({"DATABASE_URL": "sqlite:////nowhere/x.sqlite3"}, "DATABASE_URL='sqlite:////nowhere"),
    ({"REDIS_URL": "http://x"}, "REDIS_URL='http://…'"),
    ({"REDIS_URL": "redis://:hidden@h:port/0"}, "REDIS_URL='redis://…'"),
    ({"REDIS_URL": "redis://"}, "REDIS_URL='redis://…'"),
    ({"FIELD_KEYS": "short"}, "FIELD_KEYS='…'"),
    ({"DATA_DIR": "/proc/nowhere"}, "DATA_DIR='/proc/nowhere'"),
    ({**PRODUCTION, "SECRET_KEY": ""}, "SECRET_KEY=''"),
    ({**PRODUCTION, "SECRET_KEY": "guessable"}, "SECRET_KEY='…'"),
    ({**PRODUCTION, "FIELD_KEYS": ""}, "FIELD_KEYS=''"),
    ({**PRODUCTION, "ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS='*'"),
    ({**PRODUCTION, "ALLOWED_HOSTS": ""}, "ALLOWED_HOSTS=''"),
    ({**PRODUCTION, "DATABASE_URL": ""}, "DATABASE_URL=''"),
    ({**PRODUCTION, "DATABASE_URL": "sqlite:///x"}, "DATABASE_URL='sqlite://…'"),
    ({**PRODUCTION, "REDIS_URL": ""}, "REDIS_URL=''"),
    ({**PRODUCTION, "TEST_ENGINES": "1"}, "TEST_ENGINES='1'"),
]


def test_every_setting_has_a_wrong_value() -> None:
    read = set(
        re.findall(r'read_\w+\(\s*"([A-Z_]+)"', (ROOT / "livestudio/settings.py").read_text())
    )
    tried = {expected.partition("='")[0] for _, expected in WRONG if "='" in expected}

    assert read - tried == set(), "Write a wrong value of each into WRONG."


@pytest.mark.parametrize(("values", "expected"), WRONG, ids=[expected for _, expected in WRONG])
def test_wrong_value_ends_the_start_with_one_line(
    tmp_path: Path, values: dict[str, str], expected: str
) -> None:
    done = start(tmp_path, values)

    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "hidden" not in done.stderr


def test_no_room_for_the_secrets_is_one_line(tmp_path: Path) -> None:
    # A limit of no byte for each file: the write fails as on a full disk.
    command = [sys.executable, "manage.py", "check"]
    shell = ["sh", "-c", 'ulimit -f 0; trap "" XFSZ; exec "$@"', "sh", *command]
    done = subprocess.run(
        shell,
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("SECRET_KEY='' cannot be used. Allowed: a value, or room for it")
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_runners_find_the_web_on_whatever_it_listens(tmp_path: Path) -> None:
    hosts = {
        "::1": "[::1]",
        "[::1]": "[::1]",
        "::": "[::1]",
        "0.0.0.0": "127.0.0.1",
        "fd00::7": "[fd00::7]",
        "studio.local": "studio.local",
    }
    code = (
        "import importlib, os; from livestudio import settings as s\n"
        f"for host in {list(hosts)!r}:\n"
        "    os.environ['HOST'] = host; importlib.reload(s)\n"
        "    print(s.RUNNER_LINK_URL, *s.ALLOWED_HOSTS)"
    )

    lines = start(tmp_path, {"PORT": "8001"}, "-c", code).stdout.splitlines()

    assert len(lines) == len(hosts)
    for address, line in zip(hosts.values(), lines, strict=True):
        assert line.split()[0] == f"ws://{address}:8001/ws/v1/runner/"
        assert address in line.split()[1:]


def test_wrong_value_ends_the_web_server_with_the_same_line(tmp_path: Path) -> None:
    done = start(tmp_path, {"PORT": "x"}, "-c", "import livestudio.asgi")

    assert done.returncode == 1
    assert done.stderr.strip() == (
        "PORT='x' cannot be used. Allowed: a whole number from 1 to 65535."
    )


def test_production_passes_the_deployment_checks(tmp_path: Path) -> None:
    # SQLite stands in for the server: the checks must not need a connection.
    code = (
        "import os, django; from livestudio import settings;"
        "engine = 'django.db.backends.sqlite3';"
        "settings.DATABASES = {'default': {'ENGINE': engine, 'NAME': ':memory:'}};"
        # … of which the checks would tell, too.
        "settings.SILENCED_SYSTEM_CHECKS = ['livestudio.E109'];"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'livestudio.settings'; django.setup();"
        "from django.core.management import call_command;"
        "call_command('check', deploy=True, fail_level='WARNING')"
    )

    done = start(tmp_path, PRODUCTION, "-c", code)

    assert done.returncode == 0, done.stderr


def test_readers_take_what_they_promise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SETTING", " a, b ,,c ")
    assert env.read_list("SETTING") == ("a", "b", "c")
    monkeypatch.setenv("SETTING", "40000-40100")
    assert env.read_port_range("SETTING") == (40000, 40100)
    monkeypatch.setenv("SETTING", "ON")
    assert env.read_flag("SETTING") is True
    monkeypatch.setenv("SETTING", '[{"urls": ["turn:x"]}]')
    assert env.read_ice_servers("SETTING") == ({"urls": ["turn:x"]},)
    monkeypatch.delenv("SETTING")
    assert env.read_port_range("SETTING") == (0, 0)
    assert env.read_flag("SETTING") is False
    (tmp_path / "empty").touch()
    with pytest.raises(SettingError, match="non-empty file"):
        env.read_or_create_secret("SETTING", tmp_path / "empty", generate_field_key)
