"""The start: each environment variable is read, or ends the start with one clear line."""

from __future__ import annotations

import json
import os
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


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"MODE": "staging"}, "MODE='staging' cannot be used. Allowed: embedded or production."),
        ({"PORT": "http"}, "PORT='http'"),
        ({"PORT": "70000"}, "1 to 65535"),
        ({"REGISTRATION": "maybe"}, "open or invite or closed"),
        ({"EMAIL_VERIFICATION": "yes"}, "off or required"),
        ({**PRODUCTION, "EMAIL_VERIFICATION": "required"}, "set EMAIL_URL"),
        ({"EMAIL_URL": "mail.example.org:hidden"}, "EMAIL_URL='…'"),
        ({"EMAIL_URL": "smtp+tls://u:hidden@mail.example.org:x"}, "EMAIL_URL='smtp+tls://…'"),
        ({"LAUNCHER": "docker"}, "LAUNCHER='docker'"),
        ({"LAUNCHER": "kubernetes"}, "Allowed: local."),
        ({"TEST_ENGINES": "perhaps"}, "TEST_ENGINES='perhaps'"),
        ({"EGRESS_ALLOW": "loopback,everything"}, "EGRESS_ALLOW='everything'"),
        ({"ICE_SERVERS": "stun:x"}, "ICE_SERVERS='stun:x'"),
        ({"ICE_SERVERS": '[{"url": "stun:x"}]'}, "ICE_SERVERS="),
        ({"ICE_UDP_PORTS": "100-50"}, "ICE_UDP_PORTS='100-50'"),
        ({"ICE_PUBLIC_ADDRESS": "my-host"}, "one IP address"),
        ({"ICE_HOST_ADDRESSES": "127.0.0.1,eth0"}, "ICE_HOST_ADDRESSES='eth0'"),
        ({"CORS_ALLOWED_ORIGINS": "*"}, "CORS_ALLOWED_ORIGINS='*'"),
        ({"DATABASE_URL": "postgres://u:hidden@h/d"}, "DATABASE_URL='postgres://…'"),
        ({"REDIS_URL": "http://x"}, "REDIS_URL='http://…'"),
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
    ],
)
def test_wrong_value_ends_the_start_with_one_line(
    tmp_path: Path, values: dict[str, str], expected: str
) -> None:
    done = start(tmp_path, values)

    assert done.returncode == 1
    assert expected in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert "hidden" not in done.stderr


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
