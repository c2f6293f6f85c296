"""A whole LiveStudio on a free port, in processes of its own, and what tests do to it."""

from __future__ import annotations

import atexit
import http.client
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from django.conf import settings

from tests.services import free_port, work_folder

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct-horse-battery"
# Where another process finds the database that `empty_database` made.
EMPTY_DATABASE = "LIVE_TESTS_DATABASE"


@cache
def empty_database() -> Path:
    """A database with all tables and no rows but the product's own, made once in a test session."""
    if EMPTY_DATABASE in os.environ:
        return Path(os.environ[EMPTY_DATABASE])
    folder = Path(tempfile.mkdtemp(prefix="ls-empty-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Site(folder).create_tables()
    return folder / "livestudio.sqlite3"


def wait_until(condition: Callable[[], Any], what: str, *, seconds: float = 120.0) -> Any:
    """The first truthy value of `condition`; AssertionError naming `what` at the deadline."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < until, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


class Site:
    """One installation: its data folder, its port, and a signed-in client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.base_url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "DATA_DIR": str(folder),
            "PORT": str(self.port),
            # The tests sign run tokens of their own.
            "SECRET_KEY": settings.SECRET_KEY,
            "TEST_ENGINES": "1",
        }
        self._access = ""

    def manage(
        self, *arguments: str, program: str = "manage.py", **options: Any
    ) -> subprocess.Popen[bytes]:
        """A management command in the background, its output in the data folder."""
        log = (self.folder / f"{arguments[0]}.log").open("ab")
        with log:
            return subprocess.Popen(
                [sys.executable, program, *arguments],
                cwd=ROOT,
                env={**self.environment, **options},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def create_tables(self) -> None:
        """By migrating, which takes seconds."""
        assert self.manage("migrate", "-v", "0").wait(240) == 0, self.log("migrate")

    def migrate(self) -> None:
        """Give it its tables; a command that migrates finds nothing to do."""
        if "DATABASE_URL" in self.environment:
            self.create_tables()
            return
        with (
            closing(sqlite3.connect(empty_database())) as empty,
            closing(sqlite3.connect(self.folder / "livestudio.sqlite3")) as own,
        ):
            empty.backup(own)

    def start_web(self) -> subprocess.Popen[bytes]:
        """Daphne alone, ready."""
        log = (self.folder / "web.log").open("ab")
        command = ["daphne", "-v", "0", "-p", str(self.port), "livestudio.asgi:application"]
        with log:
            web = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_for_web()
        return web

    def wait_for_web(self) -> None:
        """Until it answers."""
        wait_until(self.is_ready, "the web server answers")

    def log(self, name: str) -> str:
        """What a process of this site has written."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One REST call below /api/v1/; status and parsed answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json"}
        if self._access:
            headers["Authorization"] = f"Bearer {self._access}"
        with closing(connection):
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1/{path}", text, headers)
            response = connection.getresponse()
            raw = response.read()
            return response.status, json.loads(raw) if raw else None

    def sign_up(self) -> None:
        """A user with an organization of their own, signed in."""
        person = {
            "username": "alice", "email": "alice@example.org", "password": PASSWORD,
            "organization": "Studio",
        }  # fmt: skip
        status, _ = self.call("POST", "auth/register/", person)
        assert status in (201, 400)
        self.sign_in()

    def sign_in(self) -> None:
        """A fresh access token: they last five minutes."""
        self._access = ""
        status, answer = self.call(
            "POST", "auth/token/", {"username": "alice", "password": PASSWORD}
        )
        assert status == 200, answer
        self._access = answer["access"]

    def start_show(self, **values: Any) -> str:
        """A small looping show on air; its broadcast's id."""
        _, avatars = self.call("GET", "avatars/")
        _, voices = self.call("GET", "voices/")
        body = {
            "title": "Live test", "avatar": avatars["results"][0]["id"],
            "voice": voices["results"][0]["id"], "profile": "mobile", "rundown_mode": "loop",
            "ends": "manual",
            "cues": [{"text": "第一句。第二句。"}, {"text": "第三句。"}], **values,
        }  # fmt: skip
        status, show = self.call("POST", "shows/", body)
        assert status == 201, show
        status, broadcast = self.call("POST", f"shows/{show['id']}/start/", {})
        assert status == 201, broadcast
        return str(broadcast["id"])

    def query(self, sql: str, *values: Any) -> list[Any]:
        """Rows straight from the database file, whichever processes live."""
        with closing(sqlite3.connect(self.folder / "livestudio.sqlite3", timeout=60)) as database:
            rows = database.execute(sql, values).fetchall()
            database.commit()
            return rows

    def broadcast(self, broadcast: str) -> dict[str, Any]:
        """The columns of a broadcast that live tests look at."""
        names = ("state", "reason", "lease_epoch", "runner_pid", "acknowledged_sequence", "workers")
        key = broadcast.replace("-", "")
        sql = f"SELECT {', '.join(names)} FROM streams_broadcast WHERE id = ?"  # noqa: S608 - ours
        return dict(zip(names, self.query(sql, key)[0], strict=True))

    def wait_for_state(self, broadcast: str, state: str, **columns: Any) -> dict[str, Any]:
        """Until the broadcast is in a state (and has these columns)."""

        def row() -> dict[str, Any] | None:
            values = self.broadcast(broadcast)
            wanted = {"state": state, **columns}
            return values if wanted.items() <= values.items() else None

        try:
            found: dict[str, Any] = wait_until(row, f"{state} {columns}")
        except AssertionError as error:
            raise AssertionError(f"{error}; it is {self.broadcast(broadcast)}") from error
        return found

    def is_ready(self) -> bool:
        """Whether the web side answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with closing(connection):
            try:
                connection.request("GET", "/livez")
                return connection.getresponse().status == 200
            except OSError:
                return False


@contextmanager
def new_site() -> Iterator[Site]:
    """A site with nothing running yet."""
    with work_folder("site") as folder:
        yield Site(folder)


class Processes:
    """A process and everything below it, remembered so that their end can be waited for."""

    def __init__(self, *roots: int) -> None:
        parents = _parents()
        self.alive: dict[int, str] = {}
        pending = list(roots)
        while pending:
            pid = pending.pop()
            start = _start_of(pid)
            if start and pid not in self.alive:
                self.alive[pid] = start
                pending += [child for child, parent in parents.items() if parent == pid]

    def left(self) -> list[int]:
        """Those that still run."""
        return [pid for pid, start in self.alive.items() if _start_of(pid) == start]

    def kill_left(self) -> None:
        """End what a failed test would leave behind."""
        for pid in self.left():
            os.kill(pid, signal.SIGKILL)


def _parents() -> dict[int, int]:
    stats = ((int(path.name), _stat(int(path.name))) for path in Path("/proc").glob("[0-9]*"))
    return {pid: int(fields[1]) for pid, fields in stats if fields}


def _start_of(pid: int) -> str:
    fields = _stat(pid)
    return fields[19] if fields and fields[0] not in ("Z", "X") else ""


def _stat(pid: int) -> list[str]:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return text[text.rindex(")") + 2 :].split()
