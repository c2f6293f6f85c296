"""A stream key is nowhere but in the vault, encrypted, and on the wire to its platform."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.live.site import wait_until
from tests.live.studio import Studio
from tests.services import RtmpServer

pytestmark = pytest.mark.live


@dataclass(frozen=True, slots=True)
class Aired:
    """A show that was on air with a canary for its stream key."""

    key: str
    replaced: str
    output: str
    show: str
    broadcast: str


@pytest.fixture(scope="module")
def aired(studio: Studio, rtmp_server: RtmpServer) -> Iterator[Aired]:
    key, replaced = (f"CANARY{secrets.token_hex(12)}" for _ in range(2))
    platform = studio.platform
    body = {"name": "Douyin", "kind": "rtmp", "url": rtmp_server.push_url, "stream_key": key}
    output = platform.call("POST", "outputs/", body)["id"]
    show = studio.make_small_show(output=output, rundown_mode="loop", record=True)
    with platform.on_air(show) as broadcast:
        _wait_for_output(studio, broadcast)
        # A refused replacement writes errors, where keys like to show.
        (row,) = platform.broadcast(broadcast)["outputs"]
        path = f"broadcasts/{broadcast}/outputs/{row['id']}/replace-key/"
        platform.call("POST", path, {"stream_key": replaced})
        wait_until(lambda: replaced in _published(rtmp_server), "the new key is used")
        _wait_for_output(studio, broadcast)
        yield Aired(key, replaced, output, show, broadcast)


def test_key_reaches_the_platform(aired: Aired, rtmp_server: RtmpServer) -> None:
    # Else the other tests would find nothing because nothing was there.
    assert aired.replaced in _published(rtmp_server)


def test_key_is_in_no_command_line_environment_or_open_file_name(
    studio: Studio, aired: Aired
) -> None:
    processes = studio.processes(aired.broadcast)
    kinds = {worker["kind"] for worker in _runner(studio, aired)["workers"]}
    assert kinds == {"face", "pusher", "recorder", "speech"}
    assert len(processes.alive) >= 7

    for pid in processes.alive:
        for name in ("cmdline", "environ"):
            _check_clean(aired, Path(f"/proc/{pid}/{name}").read_bytes(), f"{pid} {name}")
        _check_clean(aired, "\n".join(_open_files(pid)).encode(), f"{pid} open files")


def _open_files(pid: int) -> list[str]:
    """Names of what a process has open; what it closes meanwhile is left out."""
    names = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            names.append(os.readlink(path))
    return names


def test_key_is_in_no_file_of_the_installation(studio: Studio, aired: Aired) -> None:
    files = [path for path in studio.site.folder.rglob("*") if path.is_file()]
    names = {path.name for path in files}
    assert {"livestudio.sqlite3", "up.log", "outbox.jsonl", "runner.log"} <= names

    for path in files:
        _check_clean(aired, path.read_bytes(), str(path.relative_to(studio.site.folder)))


def test_key_is_in_no_database_dump(studio: Studio, aired: Aired) -> None:
    # What was deleted or is still in the write-ahead log is in the files; this is what is in rows.
    with closing(sqlite3.connect(studio.site.folder / "livestudio.sqlite3")) as database:
        dump = "\n".join(database.iterdump())

    assert aired.broadcast.replace("-", "") in dump
    _check_clean(aired, dump.encode(), "database dump")


def test_key_is_in_no_answer_of_the_api(studio: Studio, aired: Aired) -> None:
    broadcast = f"broadcasts/{aired.broadcast}/"
    paths = [
        "outputs/", f"outputs/{aired.output}/", "shows/", f"shows/{aired.show}/", "broadcasts/",
        broadcast, f"{broadcast}events/", f"{broadcast}utterances/", f"{broadcast}metrics/",
        f"{broadcast}recordings/", "me/",
    ]  # fmt: skip

    answers = {path: json.dumps(studio.platform.call("GET", path)) for path in paths}

    assert "Douyin" in answers["outputs/"]
    for path, text in answers.items():
        _check_clean(aired, text.encode(), path)


def test_key_is_in_no_page_of_the_admin(studio: Studio, aired: Aired) -> None:
    admin = _Admin(studio)
    pages = [
        "", "streams/output/", f"streams/output/{aired.output}/change/",
        f"streams/output/{aired.output}/history/", "streams/show/",
        f"streams/show/{aired.show}/change/", "streams/broadcast/",
        f"streams/broadcast/{aired.broadcast}/change/",
    ]  # fmt: skip

    texts = {page: admin.get(f"/admin/{page}") for page in pages}

    assert b"Douyin" in texts["streams/output/"]
    for page, text in texts.items():
        _check_clean(aired, text, page)


def _check_clean(aired: Aired, content: bytes, where: str) -> None:
    for key in (aired.key, aired.replaced):
        # The last characters are shown on purpose, as `key_hint`.
        assert key.encode() not in content, where
        assert key[:-4].encode() not in content, where


def _published(rtmp_server: RtmpServer) -> str:
    parts = rtmp_server.stat_url.removeprefix("http://").partition("/")
    with closing(http.client.HTTPConnection(parts[0], timeout=60)) as connection:
        connection.request("GET", f"/{parts[2]}")
        return connection.getresponse().read().decode()


def _wait_for_output(studio: Studio, broadcast: str) -> None:
    def is_live(row: dict[str, Any]) -> bool:
        return all(output["state"] == "live" for output in row["outputs"])

    studio.platform.wait_for(broadcast, is_live, "pushing")


def _runner(studio: Studio, aired: Aired) -> dict[str, Any]:
    row = studio.platform.wait_for(
        aired.broadcast,
        lambda row: len((row.get("runner") or {}).get("workers", ())) >= 4,
        "telling its workers",
    )
    runner: dict[str, Any] = row["runner"]
    return runner


class _Admin:
    """The administrator of a fresh installation, signed in with a cookie."""

    def __init__(self, studio: Studio) -> None:
        self._address = ("127.0.0.1", studio.site.port)
        self._cookies: dict[str, str] = {}
        page = self.get("/admin/login/").decode()
        token = page.partition('name="csrfmiddlewaretoken" value="')[2].partition('"')[0]
        password = (studio.site.folder / "admin_password").read_text().strip()
        form = f"csrfmiddlewaretoken={token}&username=admin&password={password}&next=/admin/"
        status, _ = self._request("POST", "/admin/login/", form)
        assert status == 302

    def get(self, path: str) -> bytes:
        status, content = self._request("GET", path)
        assert status == 200, (status, path)
        return content

    def _request(self, method: str, path: str, form: str | None = None) -> tuple[int, bytes]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {"Cookie": cookies, "Content-Type": "application/x-www-form-urlencoded"}
        with closing(http.client.HTTPConnection(*self._address, timeout=60)) as connection:
            connection.request(method, path, form, headers)
            response = connection.getresponse()
            for line in response.headers.get_all("Set-Cookie") or []:
                name, _, value = line.partition(";")[0].partition("=")
                self._cookies[name] = value
            return response.status, response.read()
