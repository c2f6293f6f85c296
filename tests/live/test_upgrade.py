"""Databases of earlier code, migrated by this one: what was in them is there and works."""

from __future__ import annotations

import base64
import gzip
import json
import sqlite3
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from benchmarks.platform import Platform
from scripts.provision.tools import find_tool
from tests.front import front_server
from tests.live.cluster import Cluster, trust
from tests.live.site import PASSWORD, Processes, Site, new_site
from tests.services import HOST, redis, restartable_mariadb, work_folder

pytestmark = [pytest.mark.live, pytest.mark.long]

DUMPS: Final = Path(__file__).with_name("upgrades")
# The first that was given to anybody, and the last before presenters on air had consents to sell.
VERSIONS: Final = ("74fae52", "a4d44b5")
KEYS: Final = {
    "SECRET_KEY": "upgrade-test-secret-key-upgrade-test-secret-key-0123456789-abcdefgh",
    "FIELD_KEYS": base64.urlsafe_b64encode(b"upgrade-tests-own-field-key-0001").decode(),
}
API_KEYS: Final = {
    "sqlite": "ls_1c99e2f4ccef_vc0RRRLp5o1NyY4fMKn-sIxeDqnQjizQsEAgZhX2PVk",
    "mariadb": "ls_3a6804ec9964_e1vmvq708KYdNg0xQSoJwvyVZ8eiSJmexwvgIGa0gKc",
}
SAID: Final = "这是导播说的一句话。"


@pytest.mark.parametrize("version", VERSIONS)
def test_sqlite_of_earlier_code_is_carried_on(version: str) -> None:
    with new_site() as site:
        site.environment |= KEYS
        with closing(sqlite3.connect(site.folder / "livestudio.sqlite3")) as database:
            database.executescript(_dump(version, "sqlite"))
        site.create_tables()
        _check_secrets(site)
        up = site.manage("up", "--no-input")
        try:
            site.wait_for_web()
            _check_what_was_there(Platform(site.base_url), version, API_KEYS["sqlite"])
        finally:
            below = Processes(up.pid)
            up.terminate()
            up.wait(120)
            below.kill_left()


@pytest.mark.parametrize("version", VERSIONS)
def test_mariadb_of_earlier_code_is_carried_on(version: str) -> None:
    with _production(version) as cluster, front_server(cluster.web_ports) as front:
        tls = trust(front)
        platform = Platform(front.url, tls=tls)
        _check_what_was_there(platform, version, API_KEYS["mariadb"], tls)


@contextmanager
def _production(version: str) -> Iterator[Cluster]:
    """Migrated, fit to be deployed, two web processes and a control loop."""
    with (
        work_folder("upgrade") as folder,
        restartable_mariadb("--innodb-flush-log-at-trx-commit=0") as (_, database_url),
        redis() as redis_url,
    ):
        cluster = Cluster(folder)
        cluster.environment |= {
            **KEYS,
            "MODE": "production",
            "TEST_ENGINES": "0",
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "ALLOWED_HOSTS": f"localhost,{HOST}",
            "STATIC_ROOT": str(folder / "static"),
            "ICE_HOST_ADDRESSES": HOST,
        }
        _load_into_mariadb(database_url, _dump(version, "mariadb"))
        cluster.create_tables()
        assert cluster.manage("check", "--deploy", "--database", "default").wait(120) == 0
        assert "no issues" in cluster.log("check")
        _check_secrets(cluster)
        try:
            cluster.start_webs()
            cluster.control = cluster.manage("run_control")
            yield cluster
        finally:
            cluster.close()


def _load_into_mariadb(url: str, text: str) -> None:
    client = find_tool("mariadb")
    user, _, place = url.removeprefix("mysql://").partition("@")
    port = place.partition(":")[2].partition("/")[0]
    name, _, password = user.partition(":")
    words = ["--no-defaults", f"--host={HOST}", f"--port={port}", f"--user={name}"]
    subprocess.run(
        client.command(*words, f"--password={password}", "livestudio"),
        env=client.environment, input=text.encode(), check=True, capture_output=True,
    )  # fmt: skip


def _dump(version: str, database: str) -> str:
    return gzip.decompress((DUMPS / f"{version}.{database}.sql.gz").read_bytes()).decode()


def _check_secrets(site: Site) -> None:
    """Each that is stored is opened with the keys of then."""
    assert site.manage("rotate_keys").wait(120) == 0, site.log("rotate_keys")
    assert " were encrypted with the first key" in site.log("rotate_keys")
    assert "cannot" not in site.log("rotate_keys")


def _check_what_was_there(
    platform: Platform, version: str, api_key: str, tls: ssl.SSLContext | None = None
) -> None:
    platform.name, platform.password = "alice", PASSWORD
    login = {"username": "alice", "password": PASSWORD}
    platform.access = platform.call("POST", "auth/token/", login)["access"]
    shows = {row["title"]: row for row in _rows(platform, "shows/")}
    assert set(shows) == {"Morning 早安 🌅", "Planned"}
    assert [cue["text"] for cue in shows["Planned"]["cues"]] == [
        "第一句。[wave] 第二句。",
        "",
        "第三句。",
    ]
    assert shows["Planned"]["schedule"]["rrule"] == "FREQ=DAILY"
    (output,) = _rows(platform, "outputs/")
    assert (shows["Planned"]["outputs"], output["key_hint"]) == ([output["id"]], "4711")
    (before,) = _rows(platform, "broadcasts/")
    assert before["state"] == "ended"
    said = {row["text"]: row["state"] for row in platform.utterances(before["id"])}
    assert said[SAID] == "said"
    assert len(_rows(platform, f"broadcasts/{before['id']}/recordings/")) == 1
    if version == "a4d44b5":
        _check_what_came_later(platform, api_key, tls)
    _go_on_air(platform, shows["Morning 早安 🌅"]["id"])


def _check_what_came_later(platform: Platform, api_key: str, tls: ssl.SSLContext | None) -> None:
    (consent,) = _rows(platform, "consents/")
    assert (consent["subject"], consent["territory"]) == ("Chen 陈", "EU")
    (word,) = _rows(platform, "pronunciations/")
    assert word["reading"] == "来福"
    organization = platform.call("GET", "me/")["organizations"][0]["id"]
    (webhook,) = _rows(platform, f"organizations/{organization}/webhooks/")
    assert webhook["url"] == "https://1.1.1.1/hook"
    request = urllib.request.Request(f"{platform.base_url}/api/v1/shows/")  # noqa: S310 - ours
    request.add_header("Authorization", f"Api-Key {api_key}")
    with urllib.request.urlopen(request, context=tls) as answer:  # noqa: S310 - ours
        assert len(json.load(answer)["results"]) == 2


def _go_on_air(platform: Platform, show: str) -> None:
    broadcast = str(platform.call("POST", f"shows/{show}/start/", {})["id"])
    platform.wait_for(broadcast, lambda row: row["state"] == "live", "live")
    platform.stop(broadcast)


def _rows(platform: Platform, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = platform.call("GET", path)["results"]
    return found
