"""LiveStudio in production mode: MariaDB, Redis, web processes, a control loop, nginx in front."""

from __future__ import annotations

import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.platform import Platform
from scripts.provision.checks import production_settings
from tests.front import FrontServer, front_server
from tests.live.site import ROOT, Processes, Site, wait_until
from tests.services import HOST, free_port, is_listening, mariadb, redis, work_folder


class Cluster(Site):
    """One installation with web processes on `web_ports`; runners dial the first of them."""

    def __init__(self, folder: Path, *, web_count: int = 2, **environment: str) -> None:
        super().__init__(folder)
        self.web_ports = [self.port, *(free_port() for _ in range(web_count - 1))]
        self.environment |= environment
        self.webs: dict[int, subprocess.Popen[bytes]] = {}
        self.control: subprocess.Popen[bytes] | None = None

    def start_web_at(self, port: int) -> None:
        """A Daphne as the documentation starts it; it may not answer yet."""
        command = ["daphne", "-v", "0", "-b", HOST, "-p", str(port), "--proxy-headers"]
        with (self.folder / f"web-{port}.log").open("ab") as log:
            self.webs[port] = subprocess.Popen(
                [sys.executable, "-m", *command, "livestudio.asgi:application"],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start_webs(self) -> None:
        """All of them, listening."""
        for port in self.web_ports:
            self.start_web_at(port)
        for port in self.web_ports:
            wait_until(lambda port=port: is_listening(port), f"the web process at {port} listens")

    def logs(self) -> str:
        """Everything that web processes, control loop and runners have written."""
        return "\n".join(path.read_text(errors="replace") for path in self.folder.rglob("*.log"))

    def close(self) -> None:
        """End every process, runners too."""
        for web in self.webs.values():
            web.kill()
            web.wait()
        if self.control is not None:
            below = Processes(self.control.pid)
            self.control.terminate()
            self.control.wait(20)
            below.kill_left()


@contextmanager
def production_cluster(
    *, with_control: bool = True, **environment: str
) -> Iterator[tuple[Cluster, FrontServer]]:
    """MODE=production with two web processes behind nginx; ended with all its servers."""
    with ExitStack() as stack:
        folder = stack.enter_context(work_folder("cluster"))
        cluster = Cluster(folder)
        cluster.environment = {
            **{name: cluster.environment[name] for name in ("PATH", "HOME", "PORT")},
            **production_settings(),
            "DATABASE_URL": stack.enter_context(mariadb()),
            "REDIS_URL": stack.enter_context(redis()),
            "ALLOWED_HOSTS": f"localhost,{HOST}",
            "DATA_DIR": str(folder),
            "STATIC_ROOT": str(folder / "static"),
            "REGISTRATION": "open",
            "ICE_HOST_ADDRESSES": HOST,
            **environment,
        }
        cluster.migrate()
        assert cluster.manage("collectstatic", "--noinput", "-v", "0").wait(240) == 0
        stack.callback(cluster.close)
        cluster.start_webs()
        if with_control:
            cluster.control = cluster.manage("run_control")
        yield cluster, stack.enter_context(front_server(cluster.web_ports))


def trust(front: FrontServer) -> ssl.SSLContext:
    """A client that knows nginx's certificate."""
    return ssl.create_default_context(cafile=str(front.certificate))


def customer(front: FrontServer) -> Platform:
    """A new customer who comes through nginx."""
    platform = Platform(front.url, tls=trust(front))
    platform.register()
    return platform
