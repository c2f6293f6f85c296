"""The three commands."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from . import checks
from .debian import ensure_tools
from .environment import ensure_environment, write_lock
from .failures import BootstrapError, explain_file, require_free_port, require_seconds
from .frontend import ensure_frontend, is_node_on_path
from .paths import ROOT, VENV_PYTHON
from .steps import say

USAGE = """\
usage: bootstrap.py demo        install, build, and put the demo show on air
       bootstrap.py test [NAME …]  every check and test; with names only those parts
       bootstrap.py test-long   the long matrices, soak and chaos runs
       bootstrap.py install     what `demo` needs, without starting it
       bootstrap.py lock        pin what the files in requirements/ bring with them
Environment of demo: PORT, HOST, SECONDS (end by itself after so many seconds on air)."""

DEFAULT_PORT = "8000"
DEFAULT_HOST = "127.0.0.1"


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    commands = {
        "demo": demo,
        "install": install,
        "lock": lock,
        "test": test,
        "test-long": test_long,
    }
    if not arguments or arguments[0] not in commands:
        print(USAGE, file=sys.stderr)
        return 2
    try:
        return commands[arguments[0]](arguments[1:])
    except BootstrapError as error:
        print(f"\n{error}", file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(f"\n{explain_file(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def install(_: Sequence[str]) -> int:
    """Everything that `demo` starts."""
    with exclusive():
        _install_with_frontend("base")
    return 0


def demo(arguments: Sequence[str]) -> int:
    """Install, then become `manage.py up --demo`, so that signals reach it directly."""
    port, host = os.environ.get("PORT") or DEFAULT_PORT, os.environ.get("HOST") or DEFAULT_HOST
    require_free_port(host, port)
    require_seconds(os.environ.get("SECONDS", "").strip())
    install(())
    os.chdir(ROOT)
    command = [str(VENV_PYTHON), "manage.py", "up", "--demo", *arguments]
    os.execv(command[0], command)


def test(names: Sequence[str]) -> int:
    """Install what the checks need, then run them."""
    _install_for_tests()
    return checks.run_parts(checks.ALL_PARTS, names)


def test_long(names: Sequence[str]) -> int:
    """The long tier."""
    _install_for_tests()
    return checks.run_parts(checks.LONG_PARTS, names)


def lock(_: Sequence[str]) -> int:
    """After a change in requirements/: pin what the changed files bring with them."""
    write_lock()
    return 0


def _install_for_tests() -> None:
    with exclusive():
        ensure_tools()
        _install_with_frontend("dev", "mysql", "neural", "whisper")


def _install_with_frontend(*names: str) -> None:
    """Python packages and the frontend, side by side: each keeps one processor busy."""
    ensure_environment()
    if not is_node_on_path():
        ensure_environment("node")
    with ThreadPoolExecutor(max_workers=1) as pool:
        frontend = pool.submit(ensure_frontend)
        ensure_environment(*names)
        frontend.result()


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """One bootstrap at a time per clone; a second one waits."""
    with (ROOT / ".bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("  waiting for another bootstrap of this clone …")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
