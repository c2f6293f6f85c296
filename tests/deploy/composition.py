"""Starts what docker-compose.yml says: its own images as built here, the others by stand-ins.

`mariadb` and `redis` are the servers of `.tools/`, with the arguments of the file and what their
images make of the environment; `nginx` is that of `.tools/` with the template filled in as its
image does.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import yaml

from scripts.provision.tools import find_tool
from tests.deploy.container import Container, Image, Options
from tests.deploy.network import PREFIX, Network
from tests.front import fill_template
from tests.live.site import wait_until
from tests.services import (
    is_listening,
    nginx_scratch,
    restartable_mariadb,
    restartable_redis,
)

KNOWN: Final = {
    "build", "command", "depends_on", "environment", "healthcheck", "hostname", "image",
    "init", "networks", "ports", "restart", "shm_size", "stop_grace_period", "volumes",
}  # fmt: skip
_VARIABLE: Final = re.compile(r"\$\{(\w+)(?::([?-])([^}]*))?\}")
_SIZES: Final = {"gb": "g", "mb": "m"}


class ComposeError(Exception):
    """The file says something that these tests cannot carry out, or lacks a variable."""


def read_compose(text: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """Services and volumes, variables filled in. Raises ComposeError."""
    file: dict[str, Any] = _filled(yaml.safe_load(text), variables)
    for name, service in file["services"].items():
        if unknown := set(service) - KNOWN:
            raise ComposeError(f"{name}: not known here: {', '.join(sorted(unknown))}")
    return file


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _value(found, variables), value)
    return value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    name, kind, rest = found.groups()
    if value := variables.get(name, ""):
        return value
    if kind == "?":
        raise ComposeError(f"{name}: {rest}")
    return rest or ""


class Composition:
    """The services of a compose file; ended with everything that they wrote."""

    def __init__(
        self, root: Path, folder: Path, images: Mapping[str, Image], variables: Mapping[str, str]
    ) -> None:
        self._root, self.folder, self._images = root, folder, images
        folder.mkdir(parents=True)
        self._file = read_compose((root / "docker-compose.yml").read_text(), variables)
        self.services: dict[str, Any] = self._file["services"]
        self.network = Network(folder)
        self._stack = ExitStack()
        self._stack.callback(self.network.close)
        self._holders = {name: self._join(name) for name in self.services}
        self.containers: dict[str, Container] = {}

    def up(self) -> None:
        """Every service, behind those that it waits for."""
        for name in self._in_order():
            self.start(name)

    def start(self, name: str) -> None:
        """One service, once those that it depends on are as it wants them."""
        for other, condition in self._needs(name).items():
            self._wait_for(other, condition)
        service = self.services[name]
        if "build" in service:
            self.containers[name] = self._container(name)
            self.containers[name].start()
        else:
            _STAND_INS[service["image"].partition(":")[0]](self, name, service)

    def recreate(self, name: str) -> None:
        """`docker compose up` with another image: a new container, which keeps volumes only.

        Unless the file gives it one, it has another address than before.
        """
        self.containers[name].stop(self.grace_seconds(name))
        self._holders[name] = self._join(name)
        self.containers[name] = self._container(name)
        self.containers[name].start()

    def grace_seconds(self, name: str) -> float:
        """What Docker waits before it kills; 10 s unless the file says more."""
        return _seconds(self.services[name].get("stop_grace_period", "10s"))

    def close(self) -> None:
        """End all of it."""
        for container in self.containers.values():
            container.kill()
        self._stack.close()

    def wait_until_healthy(self, name: str) -> None:
        """Until its health check succeeds, within its retries."""
        check = self.services[name]["healthcheck"]
        command = list(check["test"][1:])
        assert check["test"][0] == "CMD", check
        seconds = _seconds(check["interval"]) * int(check["retries"])
        container = self.containers[name]
        wait_until(
            lambda: container.execute(*command).returncode == 0,
            f"{name} is healthy: {container.output()[-2000:]}",
            seconds=seconds,
        )

    def runner(self, image: Image, name: str, entry: Path) -> Container:
        """A container beside the services, with their volumes, that reads `entry` on stdin."""
        holder = self.network.join(name)
        mounts = self._mounts({"volumes": ["data:/data"]}, image)
        options = Options(name=name, mounts=mounts, network=holder, shm="1g")
        container = Container(image, self.folder / "containers" / name, options)
        with entry.open("rb") as document:
            container.start(stdin=document)
        self.containers[name] = container
        return container

    def _join(self, name: str) -> int:
        networks = self.services[name].get("networks", {"default": {}})
        (pool,) = self._file["networks"]["default"]["ipam"]["config"]
        assert set(networks) == {"default"}
        assert pool["subnet"] == f"{PREFIX}.0/24", pool
        return self.network.join(name, networks["default"].get("ipv4_address", ""))

    def _in_order(self) -> list[str]:
        order: list[str] = []

        def visit(name: str) -> None:
            for other in self._needs(name):
                visit(other)
            if name not in order:
                order.append(name)

        for name in self.services:
            visit(name)
        return order

    def _needs(self, name: str) -> dict[str, str]:
        needs = self.services[name].get("depends_on", {})
        if isinstance(needs, list):
            return dict.fromkeys(needs, "service_started")
        return {other: needs[other]["condition"] for other in needs}

    def _wait_for(self, name: str, condition: str) -> None:
        container = self.containers.get(name)
        if condition == "service_completed_successfully":
            assert container is not None
            code = container.process.wait(300)
            assert code == 0, f"{name} ended with {code}:\n{container.output()[-4000:]}"
        elif condition == "service_healthy" and container is not None:
            self.wait_until_healthy(name)
        # A stand-in is ready when it is started.

    def _container(self, name: str) -> Container:
        service = self.services[name]
        image = self._images[service["build"]["target"]]
        size = service.get("shm_size", "64mb")
        options = Options(
            # Unless the file names it, a host is called as its container: never the same again.
            name=service.get("hostname", secrets.token_hex(6)),
            environment={key: str(value) for key, value in service["environment"].items()},
            mounts=self._mounts(service, image),
            network=self._holders[name],
            shm=size[:-2] + _SIZES[size[-2:]],
            init=service.get("init", False),
        )
        folder = self.folder / "containers" / f"{name}-{secrets.token_hex(3)}"
        return Container(image, folder, options, service.get("command", ()))

    def _mounts(self, service: dict[str, Any], image: Image) -> tuple[tuple[Path, str], ...]:
        mounts = [(self.network.hosts_file(), "/etc/hosts")]
        for volume in service.get("volumes", ()):
            source, _, target = volume.partition(":")
            assert source in self._file["volumes"], volume
            mounts.append((self._volume(source, target, image), target))
        return tuple(mounts)

    def _volume(self, name: str, target: str, image: Image) -> Path:
        """A named volume; the first container gives it what the image has there."""
        path = self.folder / "volumes" / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            given = image.find(target)
            assert given is not None, f"{target} of the volume {name} is not in the image"
            shutil.copytree(given, path, symlinks=True)
            status = given.stat()
            os.chown(path, status.st_uid, status.st_gid)
        return path

    def start_mariadb(self, name: str, service: dict[str, Any]) -> None:
        """With the user and the database that its image makes of the environment."""
        values = service["environment"]
        words = {key: values[f"MARIADB_{key}"] for key in ("DATABASE", "USER", "PASSWORD")}
        start = self.folder / "start.sql"
        start.write_text(_MARIADB_START.format(**words))
        more = [*service["command"], "--bind-address=0.0.0.0", f"--init-file={start}"]
        with self.network.inside(name):
            self._stack.enter_context(restartable_mariadb(*more, port=3306))

    def start_redis(self, name: str, service: dict[str, Any]) -> None:
        """Open to the network of the services, as in its image."""
        more = [*service["command"], "--bind", "0.0.0.0", "--protected-mode", "no"]
        with self.network.inside(name):
            self._stack.enter_context(restartable_redis(*more, port=6379))

    def start_nginx(self, name: str, service: dict[str, Any]) -> None:
        """The template filled in with the environment, as its image does."""
        folder = self.folder / "nginx"
        folder.mkdir()
        here = _nginx_places(service, self._root, folder)
        values = {key: here.get(value, value) for key, value in service["environment"].items()}
        (template,) = (self._root / "deploy" / "nginx").glob("*.template")
        site = fill_template(template.read_text(), values)
        configuration = folder / "nginx.conf"
        configuration.write_text(_NGINX.format(scratch=nginx_scratch(folder), site=site, at=folder))
        tool = find_tool("nginx")
        see = f"mount --bind {self.network.hosts_file()} /etc/hosts && exec "
        command = " ".join(tool.command("-p", folder, "-c", configuration))
        with self.network.inside(name), (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                ["unshare", "--mount", "sh", "-c", see + command],
                env=tool.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
            self._stack.callback(process.wait)
            self._stack.callback(process.terminate)
            wait_until(lambda: is_listening(443), "nginx listens", seconds=30)


def _nginx_places(service: dict[str, Any], root: Path, folder: Path) -> dict[str, str]:
    """Where what its configuration names lies here; the certificate is in `folder`/tls."""
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in service["volumes"]}
    assert mounted == {"/etc/nginx/templates": "./deploy/nginx", "/etc/nginx/tls": "./deploy/tls"}
    environment = service["environment"]
    tls = {environment[key] for key in ("TLS_CERTIFICATE", "TLS_KEY")}
    assert all(place.startswith("/etc/nginx/tls/") for place in tls), tls
    shutil.copytree(root / "deploy" / "tls", folder / "tls")
    return {
        **{place: f"{folder}/tls/{Path(place).name}" for place in tls},
        environment["CACHE_FOLDER"]: f"{folder}/cache",
        environment["ACCESS_LOG"]: f"{folder}/access.log",
    }


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+)([sm])", text)
    assert found is not None, text
    return int(found[1]) * (60 if found[2] == "m" else 1)


_MARIADB_START: Final = """\
CREATE DATABASE IF NOT EXISTS `{DATABASE}`;
CREATE USER IF NOT EXISTS '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';
GRANT ALL ON `{DATABASE}`.* TO '{USER}'@'%';
"""
_NGINX: Final = """\
user root;
daemon off;
pid {at}/nginx.pid;
error_log stderr notice;
events {{ worker_connections 1024; }}
http {{
{scratch}
{site}
}}
"""
_STAND_INS: Final[dict[str, Callable[[Composition, str, dict[str, Any]], None]]] = {
    "mariadb": Composition.start_mariadb,
    "redis": Composition.start_redis,
    "nginx": Composition.start_nginx,
}
