"""Servers and a browser for the tests, unpacked into `.tools/` without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from .failures import BootstrapError, require_disk
from .paths import TOOLS
from .steps import digest, is_stamped, run_quietly, say, write_stamp

SERVERS = (
    "mariadb-server-core",
    "mariadb-server",  # error messages; its own dependencies are not followed
    "mariadb-client-core",
    "mariadb-client",  # mariadb-admin, mariadb-tzinfo-to-sql
    "libmariadb-dev",  # for building the MySQL driver
    "redis-server",
    "redis-tools",  # holds the redis-server program itself
    "nginx",
    "libnginx-mod-rtmp",
    "coturn",
)
BROWSER = ("chromium", "chromium-common", "fonts-dejavu-core")
# Opened by name at run time, so that no dependency states them.
BROWSER_LIBRARIES = ("libnss3", "libasound2", "libpulse0")
SYSTEM_CHROMIUM = Path("/usr/bin/chromium")

# On every machine that runs Python, and mixing two copies of them in one process crashes.
ALWAYS_PRESENT = {"libc6", "libgcc-s1", "libstdc++6", "libc6-dev", "libc-dev-bin", "libcrypt-dev"}
# Never reached by the programs above in a test, and each pulls in dozens of packages.
NOT_FOLLOWED = {"libgtk-3-0", "libssl-dev", "libgdk-pixbuf-2.0-0", "libelogind0"}
NEEDED_MIB = 1500
LAYOUT = "1"  # raise it when unpacking itself changes


def ensure_tools() -> None:
    """Unpack the test servers and, where the machine has none, Chromium into `.tools/`."""
    roots = wanted_roots()
    wanted = digest([Path("/etc/os-release")], LAYOUT, *roots)
    stamp = TOOLS / "stamp"
    if is_stamped(stamp, wanted):
        return
    _require_apt()
    shutil.rmtree(TOOLS, ignore_errors=True)
    TOOLS.mkdir()
    require_disk(TOOLS, needed_mib=NEEDED_MIB, purpose="Unpacking the test servers")
    _unpack(_closure(roots))
    write_stamp(stamp, wanted)
    say(f"  .tools holds {size_mib(TOOLS)} MiB")


def wanted_roots() -> tuple[str, ...]:
    """Packages to start from on this machine."""
    if SYSTEM_CHROMIUM.exists():
        return SERVERS
    return SERVERS + BROWSER + BROWSER_LIBRARIES


def _require_apt() -> None:
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise BootstrapError(
            "The tests unpack MariaDB, Redis, nginx, coturn and Chromium from Debian packages, and "
            "this machine has no apt-get. `make demo` works without; run the tests on Debian 12.",
            exit_code=2,
        )


def _closure(roots: tuple[str, ...]) -> list[str]:
    try:
        return packages_to_unpack(roots, _depends(roots))
    except MissingPackagesError as error:
        if os.geteuid() != 0:
            raise BootstrapError(
                f"apt does not know {error.names[0]}. Run once: sudo apt-get update", exit_code=2
            ) from error
    run_quietly("Updating apt's lists", ["apt-get", "update"])
    return packages_to_unpack(roots, _depends(roots))


def _depends(roots: tuple[str, ...]) -> str:
    command = ["apt-cache", "depends", "--recurse", "--no-recommends", "--no-suggests"]
    command += ["--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances"]
    done = subprocess.run(
        [*command, *roots], capture_output=True, text=True, check=False, env={**os.environ, **_C}
    )
    return done.stdout


_C = {"LC_ALL": "C.UTF-8"}


class MissingPackagesError(BootstrapError):
    """apt's lists lack packages, usually because they were never fetched."""

    def __init__(self, names: list[str]) -> None:
        super().__init__(f"apt does not know {', '.join(names)}.")
        self.names = names


def packages_to_unpack(roots: tuple[str, ...], depends_text: str) -> list[str]:
    """The roots and every library that they need, from the output of `apt-cache depends`.

    Only libraries are followed: services, scripts and their interpreters are never started.
    Raises MissingPackagesError if a root is unknown.
    """
    graph = parse_depends(depends_text)
    if missing := [name for name in roots if name not in graph]:
        raise MissingPackagesError(missing)
    chosen: set[str] = set()
    queue = list(roots)
    while queue:
        name = queue.pop()
        if name in chosen or name not in graph:
            continue
        chosen.add(name)
        queue += [needed for needed in graph[name] if is_followed(needed)]
    return sorted(chosen)


def is_followed(name: str) -> bool:
    """Whether a dependency of that name is unpacked too."""
    if name in ALWAYS_PRESENT or name in NOT_FOLLOWED:
        return False
    return name.startswith(("lib", "zlib")) and not name.endswith(("-perl", "-dev"))


def parse_depends(text: str) -> dict[str, list[str]]:
    """Package → what it needs. Of alternatives (`|Depends:`) the first is taken."""
    graph: dict[str, list[str]] = {}
    current: list[str] = []
    has_choice_been_made = False
    for line in text.splitlines():
        if line and not line[0].isspace():
            current = graph.setdefault(line.strip(), [])
            has_choice_been_made = False
            continue
        kind, separator, name = line.strip().partition(": ")
        if not separator:
            continue  # a provider of the virtual package above
        if not has_choice_been_made and not name.startswith("<"):
            current.append(name)
        has_choice_been_made = kind.startswith("|")
    return graph


def _unpack(packages: list[str]) -> None:
    archives = TOOLS / "archives"
    archives.mkdir()
    # apt drops to another user for downloads, who must be able to write here.
    archives.chmod(0o777)
    step = f"Fetching {len(packages)} Debian packages"
    try:
        run_quietly(step, ["apt-get", "download", "-q", *packages], cwd=archives, environment=_C)
    except BootstrapError:
        if os.geteuid() != 0:
            raise
        # Lists older than the archive name versions that are gone.
        run_quietly("Updating apt's lists", ["apt-get", "update"])
        run_quietly(step, ["apt-get", "download", "-q", *packages], cwd=archives, environment=_C)
    say("  Unpacking them …")
    for archive in sorted(archives.glob("*.deb")):
        subprocess.run(["dpkg", "-x", str(archive), str(TOOLS)], check=True)
    shutil.rmtree(archives)
    for waste in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(TOOLS / waste, ignore_errors=True)


def size_mib(folder: Path) -> int:
    """Bytes of all files below `folder`, in MiB; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        total += sum((Path(parent) / name).lstat().st_size for name in names)
    return total // 2**20
