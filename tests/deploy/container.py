"""Processes in an image: its layers under a fresh one, in namespaces of their own, as its user.

What Docker does with them, done with overlayfs, `unshare` and `chroot`; all of it, mounts too, ends
with the process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

START_SECONDS: Final = 30.0
STOP_SECONDS: Final = 60.0
# Docker's, of an image that sets none.
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What a test lends to a container lies here: on a file system that no layer keeps.
LENT: Final = "/dev/host"

_ENTER: Final = """\
set -eu
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount -t sysfs -o ro sysfs "$ROOT/sys"
mount -t tmpfs -o mode=755,size=4m dev "$ROOT/dev"
for node in null zero full random urandom tty; do
  : > "$ROOT/dev/$node"
  mount --bind "/dev/$node" "$ROOT/dev/$node"
done
ln -s /proc/self/fd "$ROOT/dev/fd"
ln -s /proc/self/fd/0 "$ROOT/dev/stdin"
ln -s /proc/self/fd/1 "$ROOT/dev/stdout"
ln -s /proc/self/fd/2 "$ROOT/dev/stderr"
mkdir "$ROOT/dev/shm"
mount -t tmpfs -o "mode=1777,size=$SHM" shm "$ROOT/dev/shm"
while [ "$1" != -- ]; do
  if [ -d "$1" ]; then mkdir -p "$ROOT$2"
  elif [ ! -e "$ROOT$2" ]; then mkdir -p "$(dirname "$ROOT$2")"; : > "$ROOT$2"; fi
  mount --bind "$1" "$ROOT$2"
  shift 2
done
shift
hostname "$NAME"
exec chroot "--userspec=$OWNER" --groups= "$ROOT" /usr/bin/env -i "$@"
"""
# What `init: true` puts first: it waits for whatever is left to it, and passes the stop on.
_INIT: Final = """\
"$@" &
child=$!
trap 'kill -TERM $child' TERM
while :; do
  wait $child
  code=$?
  kill -0 $child 2>/dev/null || exit $code
done
"""


@dataclass(frozen=True, slots=True)
class Image:
    """layers: from the lowest up; the rest is what its Dockerfile sets."""

    layers: tuple[Path, ...]
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": DEFAULT_PATH})
    user: str = "root"
    folder: str = "/"
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()

    def owner(self, user: str = "") -> tuple[int, str]:
        """Number and home of a user (the image's own), from its /etc/passwd."""
        name = user or self.user
        for line in (self.find("etc/passwd") or Path(os.devnull)).read_text().splitlines():
            fields = line.split(":")
            if name in (fields[0], fields[2]):
                return int(fields[2]), fields[5]
        raise LookupError(f"the image has no user {name}")

    def find(self, place: str) -> Path | None:
        """The file at a place of the image, where no layer above took it away."""
        for layer in reversed(self.layers):
            path = layer / place.strip("/")
            if path.is_symlink() or path.exists():
                return None if path.is_char_device() else path
        return None


@dataclass(frozen=True, slots=True)
class Options:
    """How a process is started: what Docker takes as options of `run`, and what a test lends.

    mounts: (here, there). network: of that process; None = this machine's.
    """

    name: str = "container"
    environment: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    mounts: tuple[tuple[Path, str], ...] = ()
    network: int | None = None
    shm: str = "64m"
    init: bool = False


class Container:
    """One process, first of its own process namespace, and what it wrote above the image.

    `command` takes the place of the image's command, `entrypoint` of both.
    """

    def __init__(
        self, image: Image, folder: Path, options: Options, command: Sequence[str] = ()
    ) -> None:
        self.image, self.options, self._folder = image, options, folder
        self.upper = folder / "upper"
        for name in ("upper", "work", "root"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.log = folder / "log"
        before = ["/bin/sh", "-c", _INIT, "init"] if options.init else []
        self._command = [*before, *image.entrypoint, *(command or image.command)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, stdin: IO[bytes] | int = subprocess.DEVNULL, **more: Any) -> None:
        """Begin; stdout and stderr go to the log unless told otherwise."""
        with self.log.open("ab") as log:
            streams = {"stdout": log, "stderr": subprocess.STDOUT, **more}
            self._process = subprocess.Popen(
                self._enter(self._command), env=self._script_environment(), stdin=stdin, **streams
            )

    @property
    def process(self) -> subprocess.Popen[bytes]:
        """The process that waits for the first one of the container."""
        assert self._process is not None, "not started"
        return self._process

    @property
    def first_pid(self) -> int:
        """The first process of the container as this machine counts."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        until = time.monotonic() + START_SECONDS
        while not (children := path.read_text().split()):
            assert self.process.poll() is None, f"ended:\n{self.output()[-4000:]}"
            assert time.monotonic() < until, "no process began"
            time.sleep(0.01)
        return int(children[0])

    def output(self) -> str:
        """What it has said so far."""
        return self.log.read_text(errors="replace")

    def execute(self, *command: str, user: str = "") -> subprocess.CompletedProcess[str]:
        """Another process in the running container: `docker exec`."""
        number, home = self.image.owner(user or self.options.user)
        into = ["nsenter", f"--target={self.first_pid}", "--mount", "--uts", "--ipc", "--net"]
        into += ["--pid", f"--root=/proc/{self.first_pid}/root", f"--setuid={number}"]
        into += [f"--setgid={number}", "/usr/bin/env", "-i", *self._settings(home)]
        return subprocess.run([*into, *command], capture_output=True, text=True, check=False)

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """SIGTERM to the first process, and the end of all where it does not end: `docker stop`."""
        if self.process.poll() is None:
            os.kill(self.first_pid, signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """End every process in it."""
        if self._process is not None and self._process.poll() is None:
            # The end of the first one ends all others of its namespace.
            os.kill(self.first_pid, signal.SIGKILL)
            self._process.wait()

    def _enter(self, command: Sequence[str]) -> list[str]:
        network = self.options.network
        before = [] if network is None else ["nsenter", f"--net=/proc/{network}/ns/net"]
        apart = ["unshare", "--mount", "--pid", "--fork", "--uts", "--ipc"]
        mounts = [str(part) for pair in self.options.mounts for part in pair]
        _, home = self.image.owner(self.options.user)
        script = ["sh", "-c", _ENTER, "enter", *mounts, "--", *self._settings(home)]
        return [*before, *apart, *script, *command]

    def _settings(self, home: str) -> list[str]:
        values = {"HOME": home, **self.image.environment, **self.options.environment}
        return [
            f"--chdir={self.image.folder}",
            *(f"{name}={text}" for name, text in values.items()),
        ]

    def _script_environment(self) -> dict[str, str]:
        number, _ = self.image.owner(self.options.user)
        return {
            "PATH": DEFAULT_PATH,
            "LOWER": ":".join(str(layer) for layer in reversed(self.image.layers)),
            "UPPER": str(self.upper),
            "WORK": str(self._folder / "work"),
            "ROOT": str(self._folder / "root"),
            "SHM": self.options.shm,
            "NAME": self.options.name,
            "OWNER": f"{number}:{number}",
        }


class StepError(Exception):
    """A command in an image failed; the message ends with what it said."""


def run_step(
    image: Image, folder: Path, options: Options, command: Sequence[str], *, stdin: bytes = b""
) -> Image:
    """The image with one more layer: what `command` leaves behind. Raises StepError."""
    bare = replace(image, entrypoint=(), command=())
    container = Container(bare, folder, options, command)
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        container.start(stdin=given)
        try:
            code = container.process.wait()
        finally:
            container.kill()
    if code:
        told = container.output()[-4000:]
        raise StepError(f"{' '.join(command)[:300]}: ended with {code}\n{told}")
    return replace(image, layers=(*image.layers, container.upper))
