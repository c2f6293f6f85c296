"""Node, and the built frontend in `frontend/dist/`."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from .failures import BootstrapError
from .paths import FRONTEND, STAMPS, VENV
from .steps import digest, is_stamped, run_quietly, say, write_stamp

OLDEST_NODE = (20, 19)
NOT_SOURCES = {"node_modules", "dist", "coverage"}
# Those that the machine trusts: a company's own authority is among them, as pip finds too.
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
TRUSTED = "NODE_EXTRA_CA_CERTS"


def ensure_frontend() -> None:
    """Build `frontend/dist/` unless it was built from exactly these sources."""
    if not (FRONTEND / "package.json").exists():
        say("  frontend/package.json is not there: nothing to build")
        return
    ensure_node_modules()
    wanted = source_digest(FRONTEND)
    stamp = STAMPS / "frontend"
    if is_stamped(stamp, wanted) and any((FRONTEND / "dist").glob("*")):
        return
    run_npm("Building the frontend", "run", "build")
    write_stamp(stamp, wanted)


def ensure_node_modules() -> None:
    """`npm ci`, unless node_modules already is what the lock file says."""
    wanted = digest([FRONTEND / "package.json", FRONTEND / "package-lock.json"], node_version())
    stamp = STAMPS / "node_modules"
    if is_stamped(stamp, wanted) and (FRONTEND / "node_modules").is_dir():
        return
    arguments = ("ci", "--no-audit", "--no-fund", "--loglevel=error")
    run_npm("Installing the frontend's packages", *arguments)
    write_stamp(stamp, wanted)


def frontend_environment() -> dict[str, str]:
    """Environment in which `node` and `npm` are found: the machine's, else those in `.venv/`."""
    if is_node_on_path():
        return {}
    found = {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    # The machine's npm may be set up for its network; this one knows only public authorities.
    if CERTIFICATES.exists() and TRUSTED not in os.environ:
        found[TRUSTED] = str(CERTIFICATES)
    return found


def is_node_on_path() -> bool:
    """Whether the machine has Node and npm, new enough for the build."""
    return _usable_version(os.environ.get("PATH", "")) is not None


def node_version() -> str:
    """Version of the Node in use: the one on PATH if new enough, else the one in `.venv/`."""
    for path in (os.environ.get("PATH", ""), str(VENV / "bin")):
        if version := _usable_version(path):
            return version
    raise BootstrapError("Node is missing; put Node 20.19 or newer and npm on PATH.")


def _usable_version(path: str) -> str | None:
    version = _version_of(shutil.which("node", path=path))
    is_usable = parse_version(version) >= OLDEST_NODE and shutil.which("npm", path=path)
    return version if is_usable else None


def _version_of(node: str | None) -> str:
    if node is None:
        return ""
    done = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def parse_version(text: str) -> tuple[int, int]:
    """`v20.19.1` → (20, 19); (0, 0) for anything else."""
    found = re.match(r"v(\d+)\.(\d+)\.", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def source_digest(folder: Path) -> str:
    """Hash over every source file below `folder`, with its place."""
    files = sorted(source_files(folder))
    return digest(files, *(str(path.relative_to(folder)) for path in files))


def source_files(folder: Path) -> Iterator[Path]:
    """Files below `folder` that a build may read."""
    for path in folder.iterdir():
        if path.name in NOT_SOURCES or path.name.startswith("."):
            continue
        if path.is_dir():
            yield from source_files(path)
        else:
            yield path


def run_npm(step: str, *arguments: str) -> None:
    """Run npm in `frontend/`. Raises BootstrapError in one line."""
    environment = frontend_environment()
    run_quietly(step, ["npm", *arguments], cwd=FRONTEND, environment=environment)
