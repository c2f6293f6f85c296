"""A LiveStudio to measure: its own `manage.py up` on a free port, or one that runs already.

Everything is done through the public REST API, as a customer would.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from benchmarks.figures import BenchmarkError, Json
from tests.services import free_port, work_folder

ROOT: Final = Path(__file__).resolve().parent.parent
START_SECONDS: Final = 180.0
LIVE_SECONDS: Final = 120.0
STOP_SECONDS: Final = 90.0


@dataclass(frozen=True, slots=True)
class ClockPair:
    """The media clock and the wall clock at one moment, both in ms; wall since 1970."""

    media_ms: float
    unix_ms: float

    def unix_of(self, media_ms: float) -> float:
        """When the tick handed over what has this media time."""
        return self.unix_ms + media_ms - self.media_ms


class Platform:
    """A signed-in customer of one installation. tls: for https, whom to trust."""

    def __init__(self, base_url: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.base_url = base_url.rstrip("/")
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BenchmarkError(f"--base-url is http://host:port, not {base_url!r}")
        self._address = (parts.hostname, parts.port or (443 if parts.scheme == "https" else 80))
        self._tls = tls or (ssl.create_default_context() if parts.scheme == "https" else None)
        self.name = f"bench_{secrets.token_hex(4)}"
        self.password = secrets.token_urlsafe(16)
        self.access = ""
        self._signed_in_at = 0.0

    def register(self) -> None:
        """A new customer with an organization of their own, which they own."""
        person = {
            "username": self.name, "email": f"{self.name}@example.org",
            "password": self.password, "organization": self.name,
        }  # fmt: skip
        self.access = self.call("POST", "auth/register/", person)["access"]
        self._signed_in_at = time.monotonic()

    def at(self, base_url: str, *, tls: ssl.SSLContext | None = None) -> Platform:
        """The same customer at another address of the same installation."""
        other = Platform(base_url, tls=tls)
        other.name, other.password = self.name, self.password
        other.access, other._signed_in_at = self.access, self._signed_in_at
        return other

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One REST call below /api/v1/; the parsed answer. Raises BenchmarkError when refused."""
        status, answer = self._request(method, path, body)
        if status >= 400:
            error = (answer or {}).get("error", {})
            raise BenchmarkError(f"{method} {path}: {status} {error or answer}")
        return answer

    def timed(self, path: str, body: Any = None) -> tuple[float, Any]:
        """POST; (wall clock in ms just before it was sent, the answer)."""
        self._stay_signed_in()
        sent_at = time.time() * 1000
        return sent_at, self.call("POST", path, body)

    def download(self, path: str) -> bytes:
        """A file below /api/v1/. Raises BenchmarkError when it is refused."""
        self._stay_signed_in()
        with closing(self._connect(60)) as connection:
            headers = {"Authorization": f"Bearer {self.access}"}
            connection.request("GET", f"/api/v1/{path}", headers=headers)
            response = connection.getresponse()
            raw = response.read()
            if response.status >= 400:
                raise BenchmarkError(f"GET {path}: {response.status} {raw[:200]!r}")
            return raw

    def _request(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        self._stay_signed_in()
        headers = {"Content-Type": "application/json"}
        if self.access:
            headers["Authorization"] = f"Bearer {self.access}"
        with closing(self._connect(60)) as connection:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/api/v1/{path}", text, headers)
            response = connection.getresponse()
            raw = response.read()
            return response.status, json.loads(raw) if raw else None

    def _connect(self, timeout_seconds: float) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(*self._address, timeout=timeout_seconds)
        return http.client.HTTPSConnection(
            *self._address, timeout=timeout_seconds, context=self._tls
        )

    def _stay_signed_in(self) -> None:
        """Access tokens last five minutes; a new one is fetched between measurements."""
        if not self.access or time.monotonic() - self._signed_in_at < 120:
            return
        self._signed_in_at = time.monotonic()
        self.access = ""
        login = {"username": self.name, "password": self.password}
        self.access = self.call("POST", "auth/token/", login)["access"]

    def upload(self, kind: str, path: Path) -> str:
        """A picture for cards, logos or backgrounds; its id."""
        return self._post_form("pictures/", {"kind": kind.encode()}, {"file": path})

    def upload_film(self, engine: str, film: Path, landmarks: Path) -> str:
        """A presenter that is then being built of a film; its id."""
        fields = {"name": secrets.token_hex(4).encode(), "engine": engine.encode()}
        return self._post_form("avatars/", fields, {"file": film, "landmarks": landmarks})

    def _post_form(self, path: str, fields: dict[str, bytes], files: dict[str, Path]) -> str:
        """The id of what a form with files makes. Raises BenchmarkError when it is refused."""
        self._stay_signed_in()
        edge = secrets.token_hex(16)
        parts = [(f'name="{name}"', value) for name, value in fields.items()]
        parts += [(f'name="{n}"; filename="{f.name}"', f.read_bytes()) for n, f in files.items()]
        head = f"--{edge}\r\nContent-Disposition: form-data; "
        lines = (f"{head}{named}\r\n\r\n".encode() + value + b"\r\n" for named, value in parts)
        body = b"".join(lines) + f"--{edge}--\r\n".encode()
        headers = {
            "Content-Type": f"multipart/form-data; boundary={edge}",
            "Authorization": f"Bearer {self.access}",
        }
        with closing(self._connect(60)) as connection:
            connection.request("POST", f"/api/v1/{path}", body, headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
        if response.status != 201:
            raise BenchmarkError(f"the upload was refused: {answer}")
        return str(answer["id"])

    # --- shows

    def make_avatar(self, engine: str, **settings: Any) -> str:
        body = {"name": f"{engine} {secrets.token_hex(2)}", "engine": engine, "settings": settings}
        return str(self.call("POST", "avatars/", body)["id"])

    def make_voice(self, engine: str, language: str = "en-US", **settings: Any) -> str:
        name = f"{engine} {secrets.token_hex(2)}"
        body = {"name": name, "engine": engine, "language": language, "settings": settings}
        return str(self.call("POST", "voices/", body)["id"])

    def make_output(self, push_url: str, key: str) -> str:
        body = {"name": key, "kind": "rtmp", "url": push_url, "stream_key": key}
        return str(self.call("POST", "outputs/", body)["id"])

    def make_show(self, *, avatar: str, voice: str, **values: Any) -> str:
        """A public 720p25 show that goes on until it is stopped."""
        body = {
            "title": "Benchmark", "avatar": avatar, "voice": voice, "profile": "hd",
            "language": "en-US", "visibility": "public", "ends": "manual", **values,
        }  # fmt: skip
        return str(self.call("POST", "shows/", body)["id"])

    def make_test_show(self, *, output: str | None = None, **values: Any) -> str:
        """Test card and test tone; says nothing by itself but a first half second."""
        voice = values.pop("voice", None) or self.make_voice("testtone")
        outputs = [output] if output else []
        return self.make_show(
            avatar=self.make_avatar("testcard"), voice=voice, outputs=outputs,
            **{"cues": [{"text": "first"}], **values},
        )  # fmt: skip

    @contextmanager
    def on_air(self, show: str) -> Iterator[str]:
        """The show on air: its broadcast's id, live; stopped at the end."""
        broadcast = str(self.call("POST", f"shows/{show}/start/", {})["id"])
        try:
            self.wait_for(broadcast, lambda row: row["state"] == "live", "live")
            yield broadcast
        finally:
            self.stop(broadcast)

    def broadcast(self, broadcast: str) -> Json:
        answer: Json = self.call("GET", f"broadcasts/{broadcast}/")
        return answer

    def wait_for(
        self, broadcast: str, check: Callable[[Json], bool], what: str, seconds: float = 120.0
    ) -> Json:
        """The broadcast as soon as a check holds. Raises BenchmarkError."""
        until = time.monotonic() + seconds
        while not check(row := self.broadcast(broadcast)):
            if row["state"] in ("ended", "failed") or time.monotonic() > until:
                raise BenchmarkError(f"not {what}: the broadcast is {row['state']} {row['reason']}")
            time.sleep(0.1)
        return row

    def stop(self, broadcast: str) -> None:
        """End the broadcast and wait until it is over."""
        if self.broadcast(broadcast)["state"] in ("ended", "failed"):
            return
        self.call("POST", f"broadcasts/{broadcast}/stop/", {"when": "now"})
        until = time.monotonic() + LIVE_SECONDS
        while self.broadcast(broadcast)["state"] not in ("ended", "failed"):
            if time.monotonic() > until:
                raise BenchmarkError("the broadcast does not stop")
            time.sleep(0.2)

    def wait_until_idle(self, broadcast: str) -> None:
        """Until the rundown has been said and nothing speaks."""
        self.wait_for(broadcast, lambda row: row["script"] == "finished", "idle")

    def wait_for_presenter(self, broadcast: str) -> None:
        """Until the face worker's pictures are shown; the first time its art is drawn before."""
        self.wait_for(
            broadcast,
            lambda row: (row["metrics"] or {}).get("source", "idle") != "idle",
            "showing the presenter",
        )

    def clock(self, broadcast: str) -> ClockPair:
        """The media clock against the wall clock, as the runner last reported it."""
        row = self.wait_for(
            broadcast, lambda row: "clock" in (row["metrics"] or {}), "reporting its clock"
        )
        pair = row["metrics"]["clock"]
        return ClockPair(float(pair["media_ms"]), float(pair["unix_ms"]))

    def utterances(self, broadcast: str) -> list[Json]:
        """All utterances, oldest first."""
        rows: list[Json] = []
        path: str | None = f"broadcasts/{broadcast}/utterances/"
        while path:
            page = self.call("GET", path)
            rows += page["results"]
            path = page["next"] and page["next"].split("/api/v1/")[1]
        return sorted(rows, key=lambda row: row["media_time_ms"] or 0)

    def processes(self, broadcast: str) -> dict[int, str]:
        """{pid: part} of the runner and its children, as the platform names them."""
        row = self.wait_for(
            broadcast, lambda row: bool((row.get("runner") or {}).get("workers")), "telling pids"
        )
        runner = row["runner"]
        return {runner["pid"]: "core", **{w["pid"]: w["kind"] for w in runner["workers"]}}


@contextmanager
def open_platform(base_url: str | None) -> Iterator[Platform]:
    """The platform at an address, or one of our own with TEST_ENGINES=1, ended afterwards."""
    if base_url:
        platform = Platform(base_url)
        platform.register()
        yield platform
        return
    with work_folder("bench") as folder:
        port = free_port()
        process = _start(folder, port)
        try:
            _wait_until_ready(process, port, folder)
            platform = Platform(f"http://127.0.0.1:{port}")
            platform.register()
            yield platform
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(folder: Path, port: int) -> subprocess.Popen[bytes]:
    own = {"DATA_DIR": str(folder), "PORT": str(port), "TEST_ENGINES": "1"}
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (folder / "up.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "manage.py", "up", "--no-input"],
            cwd=ROOT, env={**environment, **own}, stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > until:
            log = (folder / "up.log").read_text(errors="replace")[-2000:]
            raise BenchmarkError(f"the platform did not start:\n{log}")
        time.sleep(0.1)


def _is_ready(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except OSError:
            return False
