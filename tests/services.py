"""Real servers for tests, from `.tools/`, each on free ports of 127.0.0.1 and ended by its pid.

A missing server fails the test with what to run; nothing is ever skipped.
`python -m tests.services COMMAND …` runs a command with MariaDB and Redis behind DATABASE_URL and
REDIS_URL.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from scripts.provision.paths import TOOLS
from scripts.provision.tools import find_tool, tool_path

START_SECONDS = 90.0
STOP_SECONDS = 30.0
HOST = "127.0.0.1"


class ServiceError(Exception):
    """A test server did not start or ended early; the message ends with its log."""


def free_port() -> int:
    """A TCP port that nobody listens on at the moment."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def work_folder(name: str) -> Iterator[Path]:
    """A folder with a short path (UNIX sockets allow 107 bytes), removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix=f"ls-{name}-", dir="/tmp"))  # noqa: S108 - short path
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running(
    name: str, arguments: Sequence[str | Path], *, folder: Path, is_ready: Callable[[], bool]
) -> Iterator[subprocess.Popen[bytes]]:
    """Program `name` of `.tools/`, from ready until the end of the block. Raises ServiceError."""
    tool = find_tool(name)
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            tool.command(*arguments),
            env=tool.environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(name, process, log, is_ready)
        yield process
    finally:
        _stop(process)


def _wait_until_ready(
    name: str, process: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool]
) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        if process.poll() is not None or time.monotonic() > deadline:
            state = "ended at once" if process.poll() is not None else "is not ready"
            raise ServiceError(f"{name} {state}:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def is_listening(port: int) -> bool:
    """Whether something accepts TCP connections on that port of 127.0.0.1."""
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


# MariaDB and Redis


class Restartable:
    """A server that a test kills and brings back at its address, with what it had on disk."""

    def __init__(self, name: str, arguments: Sequence[str | Path], folder: Path, port: int) -> None:
        self._command = (name, list(arguments), folder, port)
        self._stack = ExitStack()
        self.start()

    def start(self) -> None:
        """Until it listens. Raises ServiceError."""
        name, arguments, folder, port = self._command
        again = running(name, arguments, folder=folder, is_ready=lambda: is_listening(port))
        self._process = self._stack.enter_context(again)

    def kill(self) -> None:
        """kill -9."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End it for good."""
        self._stack.close()


@contextmanager
def mariadb() -> Iterator[str]:
    """A MariaDB with time zones and an empty utf8mb4 database; yields its DATABASE_URL."""
    quick = (
        # A test database need not survive a power cut,
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-flush-method=nosync",
        # and to empty a table need not mean to delete its file: some tests empty all of them.
        "--innodb-file-per-table=0",
    )
    with restartable_mariadb(*quick) as (_, url):
        yield url


@contextmanager
def restartable_mariadb(*more_arguments: str, port: int = 0) -> Iterator[tuple[Restartable, str]]:
    """The server and its DATABASE_URL. Without more arguments it keeps what was committed."""
    with work_folder("mariadb") as folder:
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        base = f"--basedir={TOOLS / 'usr'}"
        data = f"--datadir={folder / 'data'}"
        normal = "--auth-root-authentication-method=normal"
        install = ["--no-defaults", normal, "--skip-test-db", *as_root, base, data]
        run_tool("mariadb-install-db", *install)
        port = port or free_port()
        (folder / "init.sql").write_text(_INITIAL_SQL)
        arguments = [
            "--no-defaults",
            *as_root,
            base,
            data,
            f"--lc-messages-dir={TOOLS / 'usr/share/mysql'}",
            f"--bind-address={HOST}",
            f"--port={port}",
            f"--socket={folder / 'm.sock'}",
            f"--pid-file={folder / 'm.pid'}",
            f"--init-file={folder / 'init.sql'}",
            "--skip-log-bin",
            *more_arguments,
        ]
        with closing(Restartable("mariadbd", arguments, folder, port)) as server:
            _load_time_zones(folder / "m.sock")
            yield server, f"mysql://livestudio:test@{HOST}:{port}/livestudio"


_INITIAL_SQL = """\
CREATE DATABASE IF NOT EXISTS livestudio CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
CREATE USER IF NOT EXISTS 'livestudio'@'%' IDENTIFIED BY 'test';
GRANT ALL ON *.* TO 'livestudio'@'%';
"""


def _load_time_zones(server_socket: Path) -> None:
    # Without them TruncDate silently answers None.
    zones = Path(str(files("tzdata"))) / "zoneinfo"
    client = find_tool("mariadb")
    subprocess.run(
        client.command("--no-defaults", f"--socket={server_socket}", "--user=root", "mysql"),
        env=client.environment,
        input=run_tool("mariadb-tzinfo-to-sql", zones),
        capture_output=True,
        check=True,
    )


def run_tool(name: str, *arguments: str | Path) -> bytes:
    """What a program of `.tools/` prints. Raises ServiceError with its words when it fails."""
    tool = find_tool(name)
    done = subprocess.run(
        tool.command(*arguments), env=tool.environment, capture_output=True, check=False
    )
    if done.returncode:
        output = (done.stdout + done.stderr).decode(errors="replace")
        raise ServiceError(f"{name}: {output[-2000:]}")
    return done.stdout


@contextmanager
def redis() -> Iterator[str]:
    """An empty Redis that keeps nothing on disk; yields its REDIS_URL."""
    with restartable_redis() as (_, url):
        yield url


@contextmanager
def restartable_redis(*more_arguments: str, port: int = 0) -> Iterator[tuple[Restartable, str]]:
    """The server and its REDIS_URL; killed, it has forgotten everything."""
    with work_folder("redis") as folder:
        port = port or free_port()
        arguments: list[str | Path] = ["--port", str(port), "--bind", HOST, "--dir", folder]
        arguments += ["--save", "", "--appendonly", "no", *more_arguments]
        with closing(Restartable("redis", arguments, folder, port)) as server:
            yield server, f"redis://{HOST}:{port}/0"


# RTMP


@dataclass(frozen=True, slots=True)
class RtmpServer:
    """nginx-rtmp: what is pushed to `url(key)` can be read from there by any RTMP reader."""

    port: int
    http_port: int
    folder: Path
    pid: int

    @property
    def push_url(self) -> str:
        """Where a platform would tell the user to push, without the stream key."""
        return f"rtmp://{HOST}:{self.port}/live"

    @property
    def refusing_url(self) -> str:
        """An application that answers every stream key with a refusal, as an expired key gets."""
        return f"rtmp://{HOST}:{self.port}/refusing"

    def url(self, key: str) -> str:
        """For publishing and for playing."""
        return f"{self.push_url}/{key}"

    @property
    def stat_url(self) -> str:
        """XML about streams, publishers and players (`/stat` of nginx-rtmp)."""
        return f"http://{HOST}:{self.http_port}/stat"


@contextmanager
def rtmp_server(*, on_publish_url: str = "", port: int = 0) -> Iterator[RtmpServer]:
    """nginx-rtmp. `on_publish_url` is asked before each publisher of `live`; 2xx lets it in.

    `port` lets a test bring the server back at the address where it was.
    """
    with work_folder("rtmp") as folder:
        port, http_port = port or free_port(), free_port()
        configuration = folder / "nginx.conf"
        configuration.write_text(_nginx_configuration(folder, port, http_port, on_publish_url))
        with running(
            "nginx",
            ["-p", folder, "-c", configuration],
            folder=folder,
            is_ready=lambda: is_listening(port) and is_listening(http_port),
        ) as process:
            yield RtmpServer(port, http_port, folder, process.pid)


def _nginx_configuration(folder: Path, port: int, http_port: int, on_publish_url: str) -> str:
    user = "user root;" if os.geteuid() == 0 else ""
    guard = f"on_publish {on_publish_url};" if on_publish_url else ""
    return f"""\
load_module {tool_path("nginx-rtmp-module")};
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 512; }}
rtmp {{
  access_log off;
  server {{
    listen {HOST}:{port};
    application live {{ live on; wait_key on; {guard} }}
    application refusing {{ live on; on_publish http://{HOST}:{http_port}/refuse; }}
  }}
}}
http {{
  access_log off;
{nginx_scratch(folder)}
  server {{
    listen {HOST}:{http_port};
    location = /stat {{ rtmp_stat all; }}
    location = /refuse {{ return 403; }}
  }}
}}
"""


def nginx_scratch(folder: Path) -> str:
    """nginx's folders for what does not fit into memory, below a folder of ours."""
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return "\n".join(f"  {name}_temp_path {folder}/{name};" for name in names)


# TURN


@dataclass(frozen=True, slots=True)
class TurnServer:
    """coturn that relays on loopback and takes time-limited credentials made from `secret`."""

    port: int
    secret: str

    @property
    def url(self) -> str:
        return f"turn:{HOST}:{self.port}?transport=udp"

    def credentials(self, *, user: str = "test", ttl_seconds: int = 600) -> tuple[str, str]:
        """User name and password (draft-uberti-behave-turn-rest); negative TTLs are expired."""
        username = f"{int(time.time()) + ttl_seconds}:{user}"
        signature = hmac.digest(self.secret.encode(), username.encode(), hashlib.sha1)
        return username, base64.b64encode(signature).decode()


@contextmanager
def turn_server(*, secret: str = "turn-test-secret") -> Iterator[TurnServer]:
    """coturn on UDP and TCP of one free port."""
    with work_folder("turn") as folder:
        port = free_port()
        arguments = [
            "-n",
            f"--listening-ip={HOST}",
            f"--relay-ip={HOST}",
            f"--listening-port={port}",
            "--use-auth-secret",
            f"--static-auth-secret={secret}",
            "--realm=livestudio.test",
            "--allow-loopback-peers",
            "--no-tls",
            "--no-dtls",
            "--no-cli",
            "--log-file=stdout",
            f"--pidfile={folder / 'turn.pid'}",
            f"--userdb={folder / 'turn.sqlite'}",
        ]
        with running("coturn", arguments, folder=folder, is_ready=lambda: is_listening(port)):
            yield TurnServer(port, secret)


def main(command: Sequence[str]) -> int:
    """Run `command` with MariaDB and Redis; its exit status."""
    # By default SIGTERM would end us without ending the servers.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    with ExitStack() as services:
        addresses = {
            "DATABASE_URL": services.enter_context(mariadb()),
            "REDIS_URL": services.enter_context(redis()),
        }
        return subprocess.run(command, env={**os.environ, **addresses}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
