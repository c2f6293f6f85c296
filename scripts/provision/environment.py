"""The Python environment in `.venv/`."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from .failures import BootstrapError, require_disk
from .paths import REQUIREMENTS, STAMPS, TOOLS, VENV, VENV_PYTHON
from .steps import digest, is_stamped, run_quietly, say, write_stamp

NEEDED_MIB = {"base": 800, "dev": 1300, "mysql": 50, "neural": 2000, "node": 250, "whisper": 20}
# PyPI's PyTorch brings CUDA, several GB; the checks run on the CPU.
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
LOCK_HEADER = """\
# Versions of everything that dev.txt and neural.txt bring, so that a clone installs today what it
# did yesterday.
# Used as a constraint (pip -c). Made by `python3 scripts/bootstrap.py lock`; do not edit.
"""
PIP_WHEEL_FOLDERS = ("/usr/share/python-wheels", "/usr/share/python-pip-wheels")


def ensure_environment(*names: str) -> None:
    """Make `.venv/` carry requirements/<name>.txt of each name."""
    _ensure_venv()
    for name in names:
        _ensure_requirements(name)


def requirement_files(name: str, folder: Path = REQUIREMENTS) -> list[Path]:
    """requirements/<name>.txt, everything it includes with -r, and the lock."""
    path = folder / f"{name}.txt"
    files = [path]
    for line in path.read_text().splitlines():
        if line.startswith("-r "):
            files += requirement_files(line[3:].strip().removesuffix(".txt"), folder)
    lock = folder / "lock.txt"
    return sorted({*files, *([lock] if lock.exists() else [])})


def _ensure_requirements(name: str) -> None:
    files = requirement_files(name)
    wanted = digest(files, sys.version.split()[0])
    stamp = STAMPS / name
    if is_stamped(stamp, wanted):
        return
    require_disk(VENV, needed_mib=NEEDED_MIB.get(name, 300), purpose=f"Installing {name}")
    command: list[str | Path] = [VENV_PYTHON, "-m", "pip", "install", "--quiet"]
    command += ["--disable-pip-version-check", "-r", REQUIREMENTS / f"{name}.txt"]
    if (lock := REQUIREMENTS / "lock.txt").exists():
        command += ["-c", lock]
    command += pip_options(name)
    run_quietly(f"Installing requirements/{name}.txt", command, environment=_build_flags(name))
    write_stamp(stamp, wanted)


def pip_options(name: str) -> list[str]:
    """What requirements/<name>.txt needs of pip beside the lock."""
    if name == "mysql":
        # A cached wheel may be linked to libraries of another folder.
        return ["--no-cache-dir"]
    if name == "whisper":
        return ["--no-deps"]
    if name == "neural" and _is_reachable(TORCH_CPU_INDEX):
        return ["--extra-index-url", TORCH_CPU_INDEX]
    return []


def _is_reachable(url: str) -> bool:
    """pip itself would try again for minutes; a mirror of one's own may be all there is."""
    try:
        with urllib.request.urlopen(f"{url}/torch/", timeout=5):  # noqa: S310 - our own https address
            return True
    except OSError:
        return False


def write_lock() -> None:
    """Make requirements/lock.txt anew: every package that the checks install, with its version."""
    with tempfile.TemporaryDirectory() as name:
        python = Path(name) / "bin" / "python"
        run_quietly("Creating an empty environment", [sys.executable, "-m", "venv", name])
        pip = (python, "-m", "pip", "--quiet")
        wanted = ("install", "-r", REQUIREMENTS / "dev.txt", "-r", REQUIREMENTS / "neural.txt")
        resolved: list[str | Path] = [*pip, *wanted, *pip_options("neural")]
        run_quietly("Resolving requirements/dev.txt and neural.txt", resolved)
        versions = run_quietly("Reading the versions", [*pip, "freeze"])
    (REQUIREMENTS / "lock.txt").write_text(LOCK_HEADER + portable(versions))


def portable(versions: str) -> str:
    """`pip freeze` without what depends on the build of PyTorch that this machine was given.

    `torch==2.13.0+cpu` exists on one index only, and the CUDA packages, which PyTorch pins itself,
    only beside its CUDA build.
    """
    lines = [re.sub(r"^(torch==[^+]*)\+.*", r"\1", line) for line in versions.splitlines()]
    kept = [line for line in lines if not line.startswith(("nvidia-", "cuda-", "triton=="))]
    return "".join(f"{line}\n" for line in kept)


def _build_flags(name: str) -> Mapping[str, str]:
    """mysqlclient has no Linux wheel: build it on the headers and library in `.tools/`."""
    if name != "mysql":
        return {}
    require_compiler()
    from_site_packages = "$ORIGIN/../../../../../.tools"
    folders = [folder.relative_to(TOOLS) for folder in TOOLS.glob("usr/lib/*-linux-gnu")]
    links = " ".join(f"-Wl,-rpath,{from_site_packages}/{folder}" for folder in folders)
    search = " ".join(f"-L{TOOLS / folder}" for folder in folders)
    return {
        "MYSQLCLIENT_CFLAGS": f"-I{TOOLS}/usr/include/mariadb",
        # DT_RPATH, unlike DT_RUNPATH, also serves the libraries that libmariadb itself needs.
        "MYSQLCLIENT_LDFLAGS": f"{search} -lmariadb -Wl,--disable-new-dtags {links}",
    }


def require_compiler() -> None:
    """Raise BootstrapError (exit code 2) unless C extensions can be built."""
    header = Path(sysconfig.get_path("include")) / "Python.h"
    if shutil.which("gcc") is None or not header.exists():
        raise BootstrapError(
            "The tests build the MySQL driver, which needs a compiler. Run once: "
            "sudo apt-get install -y gcc libc6-dev python3-dev",
            exit_code=2,
        )


def _ensure_venv() -> None:
    if VENV_PYTHON.exists() and _works(VENV_PYTHON, "import pip"):
        return
    shutil.rmtree(STAMPS, ignore_errors=True)
    command: list[str | Path] = [sys.executable, "-m", "venv", "--clear", VENV]
    if has_ensurepip():
        run_quietly("Creating .venv", command)
        return
    run_quietly("Creating .venv", [*command, "--without-pip"])
    _install_pip()


def has_ensurepip() -> bool:
    """Whether `venv` can bring pip by itself; Debian splits that off into python3-venv."""
    return importlib.util.find_spec("ensurepip") is not None and _works(
        Path(sys.executable), "import ensurepip; ensurepip.version()"
    )


def _install_pip() -> None:
    """pip from its wheel: one on this machine, else Debian's, downloaded but not installed."""
    if _works(Path(sys.executable), "import pip"):
        pip = (sys.executable, "-m", "pip", "--python", VENV_PYTHON)
        run_quietly("Installing pip with the system's pip", [*pip, "install", "pip"])
        return
    if wheel := find_pip_wheel(PIP_WHEEL_FOLDERS):
        _install_wheel(wheel)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            run_quietly("Fetching pip", ["apt-get", "download", "python3-pip-whl"], cwd=folder)
            run_quietly("Unpacking pip", ["dpkg", "-x", next(folder.glob("*.deb")), folder])
        except (BootstrapError, OSError) as error:
            message = "Python lacks pip here. Run once: sudo apt-get install -y python3-venv"
            raise BootstrapError(message, exit_code=2) from error
        wheel = find_pip_wheel([str(folder / "usr/share/python-wheels")])
        if wheel is None:
            raise BootstrapError("The package python3-pip-whl holds no pip wheel.")
        _install_wheel(wheel)


def find_pip_wheel(folders: tuple[str, ...] | list[str]) -> Path | None:
    """The newest pip wheel in `folders`."""
    wheels = [wheel for folder in folders for wheel in Path(folder).glob("pip-*.whl")]
    return max(wheels, key=lambda wheel: wheel.stat().st_mtime, default=None)


def _install_wheel(wheel: Path) -> None:
    # pip runs straight from its wheel: a wheel is a zip file, and Python imports from zip files.
    pip = (VENV_PYTHON, f"{wheel}/pip")
    run_quietly(f"Installing {wheel.name}", [*pip, "install", "--no-index", wheel])


def _works(python: Path, code: str) -> bool:
    done = subprocess.run(
        [str(python), "-c", code], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    )
    if done.returncode:
        say(f"  {python} cannot run {code!r}")
    return done.returncode == 0
