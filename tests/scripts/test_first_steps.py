"""What a newcomer's machine may lack, and the one line that says what to do about it."""

from __future__ import annotations

import ensurepip
import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.provision import debian, environment, failures, main
from scripts.provision.paths import ROOT


@pytest.mark.parametrize("seconds", ["ten", "-1", "1.5", "²", "604801"])
def test_seconds_that_are_no_number_are_refused_before_the_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seconds: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setenv("PORT", str(port))
    monkeypatch.setenv("SECONDS", seconds)
    monkeypatch.setattr(main, "install", lambda _: pytest.fail("it installed"))

    assert main.main(["demo"]) == 1

    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"it is {seconds!r}" in line


def test_clone_of_another_user_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Not even root may make a file there.
    monkeypatch.setattr(main, "ROOT", Path("/sys"))

    assert main.main(["install"]) == 1

    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("This user may not write in this clone (/sys/.bootstrap.lock).")


def test_full_disk_is_told_whatever_is_written() -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/clone/.venv/stamp")

    assert failures.explain_file(error) == (
        "The disk is full (/clone/.venv/stamp). Free some space and run the same command again."
    )


OLD_PYTHON = """
import runpy, sys
sys.version_info = (3, 8, 0, "final", 0)
sys.argv = ["bootstrap.py", "demo"]
runpy.run_path("scripts/bootstrap.py", run_name="__main__")
"""


def test_old_python_says_so_in_one_line(tmp_path: Path) -> None:
    done = run_as_old_python(tmp_path)

    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert line.startswith("LiveStudio needs Python 3.11 or newer; this is 3.8.")


def test_old_python_gives_way_to_a_newer_one(tmp_path: Path) -> None:
    newer = tmp_path / "python3.12"
    newer.write_text('#!/bin/sh\necho "$@"\n')
    newer.chmod(0o700)

    assert run_as_old_python(tmp_path).stdout == "scripts/bootstrap.py demo\n"


def run_as_old_python(path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", OLD_PYTHON],
        cwd=ROOT,
        env={"PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def without_ensurepip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A Python as Debian ships it without python3-venv; the folder of a new environment."""
    folder = tmp_path / "venv"
    monkeypatch.setattr(environment, "VENV", folder)
    monkeypatch.setattr(environment, "VENV_PYTHON", folder / "bin" / "python")
    monkeypatch.setattr(environment, "STAMPS", folder / "stamps")
    monkeypatch.setattr(environment, "has_ensurepip", lambda: False)
    works = environment._works
    monkeypatch.setattr(
        environment,
        "_works",
        lambda python, code: python != Path(sys.executable) and works(python, code),
    )
    return folder


def test_environment_is_made_without_ensurepip(
    monkeypatch: pytest.MonkeyPatch, without_ensurepip: Path
) -> None:
    # The wheel of this Python stands in for the one that Debian ships beside it.
    wheels = str(Path(ensurepip.__file__).parent / "_bundled")
    monkeypatch.setattr(environment, "PIP_WHEEL_FOLDERS", (wheels,))

    environment.ensure_environment()

    python = without_ensurepip / "bin" / "python"
    told = subprocess.check_output([python, "-m", "pip", "--version"], text=True)
    assert str(without_ensurepip) in told


def test_without_pip_from_anywhere_root_is_asked_for_one_package(
    monkeypatch: pytest.MonkeyPatch, without_ensurepip: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr(environment, "PIP_WHEEL_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(failures.BootstrapError) as caught:
        environment.ensure_environment()

    assert caught.value.exit_code == 2
    assert str(caught.value).endswith("Run once: sudo apt-get install -y python3-venv")


def test_without_a_compiler_root_is_asked_for_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(failures.BootstrapError, match="sudo apt-get install -y gcc") as caught:
        environment.require_compiler()

    assert caught.value.exit_code == 2


def test_lists_that_apt_never_fetched_are_for_root_to_fetch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(debian, "_depends", lambda roots: "")

    with pytest.raises(failures.BootstrapError, match="sudo apt-get update") as caught:
        debian._closure(("nginx",))

    assert caught.value.exit_code == 2
