"""manage.py up: everything on one machine under one parent; `--demo` puts a show on air."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from accounts.roles import SYSTEM
from avatars.builtins import BUILT_IN_AVATARS
from avatars.bundles import present_servers
from inference.services import active_runners
from livestudio import demo as demos
from livestudio.children import Child, end_all
from livestudio.doctor import DISK_NEEDED_MIB
from livestudio.env import SettingError, read_integer
from livestudio.first_run import Administrator, ensure_administrator
from streams.errors import NotLiveError
from streams.models import Broadcast, BroadcastState
from streams.models.broadcast import FINAL_STATES
from streams.services.lifecycle import stop_broadcast

READY_SECONDS: Final = 60.0
LIVE_SECONDS: Final = 60.0
DRAIN_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.2
BUILD_SECONDS: Final = 120.0


class Command(BaseCommand):
    """Holds the only write end of the life pipe: when it dies, everything below ends."""

    help = "Run LiveStudio on this machine: web, control loop, and the runners they start."
    requires_migrations_checks = False

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="put the demo show on air")
        parser.add_argument("--host", default=settings.HOST, help="address to listen on")
        parser.add_argument("--port", type=int, default=settings.PORT, help="port to listen on")
        parser.add_argument("--no-input", action="store_true", help="never ask anything")

    def handle(self, *args: Any, **options: Any) -> None:
        seconds = _seconds_on_air()
        if settings.LAUNCHER != "local":
            raise CommandError(f"`up` runs on one machine: LAUNCHER={settings.LAUNCHER} cannot.")
        _require_free_port(options["host"], options["port"])
        _require_disk()
        site = Site(options["host"], options["port"], is_quiet=options["demo"])
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: site.stopping.set())
        try:
            with _full_disk_is_told():
                summary = self._run(site, is_demo=options["demo"], seconds=seconds)
        finally:
            site.close()
        if summary is not None:
            self.stdout.write(json.dumps(summary, ensure_ascii=False))

    def _run(self, site: Site, *, is_demo: bool, seconds: float | None) -> dict[str, Any] | None:
        builder = site.build_idle_loop()
        try:
            call_command("migrate", interactive=False, verbosity=0)
            administrator = ensure_administrator()
        except Exception:
            # Nobody waits for it any more, nor reads what it would say.
            builder.kill()
            builder.communicate()
            raise
        site.start()
        site.wait_until_ready()
        if not is_demo:
            self._tell(_addresses(site.base_url, administrator))
            site.supervise_until(lambda: False)
            return None
        site.finish_build(builder)
        return self._demo(site, administrator, seconds)

    def _demo(
        self, site: Site, administrator: Administrator, seconds: float | None
    ) -> dict[str, Any] | None:
        """Put the show on air, describe it, and stay until told to end."""
        broadcast = demos.start_demo(demos.ensure_demo_show(administrator.organization))
        site.wait_until_live(broadcast)
        if site.stopping.is_set():
            return None
        described = demos.describe(administrator, broadcast, site.base_url)
        demos.write_demo_file(described)
        self._tell(_demo_lines(described))
        figures = demos.OnAirFigures()
        site.stay_on_air(broadcast, figures, seconds)
        site.stop_runners()
        broadcast.refresh_from_db()
        return demos.summarise(broadcast, figures) if seconds is not None else None

    def _tell(self, lines: list[str]) -> None:
        self.stdout.write("\n".join(lines))
        self.stdout.flush()


class Site:
    """The children of one `up`, and the pipe they live by."""

    def __init__(self, host: str, port: int, *, is_quiet: bool) -> None:
        self.stopping = threading.Event()
        self.local_address = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104
        self.base_url = f"http://{_bracketed(self.local_address)}:{port}"
        self._port = port
        # Neither end is inherited unless it is named: the write end stays with us alone.
        self._life_read, self._life_write = os.pipe()
        environment = {**os.environ, "HOST": host, "PORT": str(port)}
        logs = Path(settings.DATA_DIR) / "logs" if is_quiet else None
        life = ["--life-fd", str(self._life_read)]
        manage = str(settings.BASE_DIR / "manage.py")
        daphne = ["daphne", "-v", "0", "-b", host, "-p", str(port), "livestudio.asgi:application"]
        commands = {
            **{
                server.name: [
                    sys.executable,
                    manage,
                    "run_model_server",
                    str(server.number),
                    *life,
                ]  # fmt: skip
                for server in present_servers()
            },
            "web": [sys.executable, "-m", "livestudio.child", *life, *daphne],
            "control": [sys.executable, manage, "run_control", *life],
        }
        self.children = [
            Child(
                name,
                command,
                environment,
                pass_fds=(self._life_read,),
                log=logs / f"{name}.log" if logs else None,
            )
            for name, command in commands.items()
        ]

    def start(self) -> None:
        """Start web and control loop."""
        for child in self.children:
            child.start()

    def build_idle_loop(self) -> subprocess.Popen[bytes]:
        """Draw the built-in presenter's idle loop beside all else; quick when it exists."""
        arguments = demos.idle_loop_arguments(BUILT_IN_AVATARS[0].settings)
        return subprocess.Popen(
            [sys.executable, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            cwd=settings.BASE_DIR,
            start_new_session=True,
        )

    def finish_build(self, builder: subprocess.Popen[bytes]) -> None:
        """Wait for the idle loop. Raises CommandError with the builder's words."""
        try:
            output, _ = builder.communicate(timeout=BUILD_SECONDS)
        except subprocess.TimeoutExpired as error:
            builder.kill()
            builder.communicate()
            raise CommandError("The presenter could not be drawn in time.") from error
        if builder.returncode != 0:
            raise CommandError(f"The presenter could not be drawn: {_builder_words(output)}")

    def wait_until_ready(self) -> None:
        """Until the web side answers. Raises CommandError."""
        self._supervise_at_most(READY_SECONDS, self._is_ready, "The web server did not start")

    def wait_until_live(self, broadcast: Broadcast) -> None:
        """Until the broadcast is live. Raises CommandError when it failed or took too long."""

        def is_live() -> bool:
            broadcast.refresh_from_db()
            if broadcast.is_over:
                raise CommandError(f"The demo could not go on air: {broadcast.reason}")
            return bool(broadcast.state == BroadcastState.LIVE and broadcast.first_frame_at)

        self._supervise_at_most(LIVE_SECONDS, is_live, "The demo did not go on air")

    def stay_on_air(
        self, broadcast: Broadcast, figures: demos.OnAirFigures, seconds: float | None
    ) -> None:
        """Until told to stop, the broadcast ends, or `seconds` passed since its first frame."""

        def is_done() -> bool:
            broadcast.refresh_from_db()
            figures.note(broadcast.metrics)
            since = broadcast.first_frame_at
            on_air_seconds = (timezone.now() - since).total_seconds() if since else 0.0
            return broadcast.is_over or (seconds is not None and on_air_seconds >= seconds)

        self.supervise_until(is_done)

    def supervise_until(self, is_done: Any) -> None:
        """Start again what dies, until done or told to stop."""
        while not self.stopping.is_set() and not is_done():
            for child in self.children:
                told = child.supervise()
                if told:
                    sys.stderr.write(told + "\n")
            self.stopping.wait(LOOK_SECONDS)

    def stop_runners(self) -> None:
        """End every broadcast now and wait until their processes are gone."""
        close_old_connections()
        for broadcast in Broadcast.objects.exclude(state__in=FINAL_STATES):
            with contextlib.suppress(NotLiveError):  # it ended meanwhile
                stop_broadcast(broadcast=broadcast, actor=SYSTEM, when="now")
        until = time.monotonic() + DRAIN_SECONDS
        while active_runners().exists() and time.monotonic() < until:
            for child in self.children:
                child.supervise()
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """Runners first, then the children, then the pipe."""
        try:
            if all(child.process is not None for child in self.children):
                self.stop_runners()
        finally:
            end_all(self.children)
            os.close(self._life_write)
            os.close(self._life_read)

    def _supervise_at_most(self, seconds: float, is_done: Any, failure: str) -> None:
        until = time.monotonic() + seconds

        def is_done_in_time() -> bool:
            if is_done():
                return True
            if time.monotonic() >= until:
                logs = Path(settings.DATA_DIR) / "logs"
                raise CommandError(f"{failure} within {seconds:.0f} s; its log is in {logs}.")
            return False

        self.supervise_until(is_done_in_time)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection(self.local_address, self._port, timeout=2.0)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _require_free_port(host: str, port: int) -> None:
    if not 1 <= port <= 65535:
        raise CommandError(f"--port {port} cannot be used. Allowed: a number from 1 to 65535.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            words = error.strerror or str(error)
            raise CommandError(
                f"Cannot listen on {host}:{port} ({words}). Choose another: PORT=8010."
            ) from error


def _require_disk() -> None:
    free_mib = shutil.disk_usage(settings.DATA_DIR).free // 2**20
    if free_mib < DISK_NEEDED_MIB:
        raise CommandError(
            f"The disk is full: {free_mib} MiB are free in {settings.DATA_DIR}, and "
            f"{DISK_NEEDED_MIB} are needed. Free some space, or set DATA_DIR to another disk."
        )


@contextlib.contextmanager
def _full_disk_is_told() -> Iterator[None]:
    """A disk that others fill while we start: one line, as when it was full before."""
    try:
        yield
    except (OSError, DatabaseError) as error:
        is_full = getattr(error, "errno", 0) in (errno.ENOSPC, errno.EDQUOT)
        if not (is_full or "is full" in str(error)):
            raise
        raise CommandError(
            f"The disk of {settings.DATA_DIR} is full ({error}). Free some space, or set DATA_DIR "
            "to another disk."
        ) from error


def _seconds_on_air() -> float | None:
    try:
        seconds = read_integer("SECONDS", 0, lowest=0, highest=7 * 24 * 3600)
    except SettingError as error:
        raise CommandError(str(error)) from error
    return float(seconds) or None


def _builder_words(output: bytes) -> str:
    try:
        return str(json.loads(output)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return "see the messages above."


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _addresses(base_url: str, administrator: Administrator) -> list[str]:
    lines = ["", "LiveStudio 已启动 · is running", f"  导播台 studio   {base_url}/studio/"]
    lines.append(f"  管理后台 admin  {base_url}/admin/")
    return [*lines, *_login(administrator.user.username, administrator.password), ""]


def _demo_lines(demo: demos.DemoFile) -> list[str]:
    return [
        "",
        "直播中 · On air",
        f"  观看 watch      {demo.watch_url}",
        f"  导播台 studio   {demo.studio_url}",
        f"  管理后台 admin  {demo.admin_url}",
        *_login(demo.username, demo.password),
        "  按 Ctrl-C 结束 · Press Ctrl-C to end",
        "",
    ]


def _login(username: str, password: str) -> list[str]:
    shown = password or "（您设置的密码 · the one you have set）"
    return [f"  登录 sign in    {username} / {shown}"]
