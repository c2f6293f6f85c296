"""The parts of `make test`: what each runs, in which order, and the verdict."""

from __future__ import annotations

import base64
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from subprocess import PIPE

from .failures import BootstrapError
from .frontend import frontend_environment
from .paths import FRONTEND, ROOT, VENV, VENV_PYTHON
from .steps import say

BIN = VENV / "bin"
FAST = "not live and not gpu and not long"
TESTS_FAILED = 1
NO_TESTS_COLLECTED = 5
# No test below these touches the database (tests/conftest.py refuses one); reading them takes long.
NO_DATABASE = ("tests/inference", "tests/benchmarks", "tests/deploy", "inference", "benchmarks")
# Images set it to stay small. Here each of a thousand processes would compile all it imports.
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
# Linux alone can let a process wait until nobody else wants the processor.
CAN_STAND_BEHIND = hasattr(os, "SCHED_IDLE")
# More than so many that fail are no accident of a shared machine.
TRIED_AGAIN_MAX = 5
# Nothing of these tiers counts frames: one test of thousands may meet a machine that stood still.
TRIED_AGAIN_MAX_FAST = 2


PRODUCT_SETTINGS = {
    "ALLOWED_HOSTS",
    "BROADCASTS_AT_ONCE",
    "CACHE_MAX_MIB",
    "CORS_ALLOWED_ORIGINS",
    "DATABASE_URL",
    "DATA_DIR",
    "EGRESS_ALLOW",
    "EMAIL_VERIFICATION",
    "FIELD_KEYS",
    "HOST",
    "ICE_HOST_ADDRESSES",
    "ICE_PUBLIC_ADDRESS",
    "ICE_SERVERS",
    "ICE_UDP_PORTS",
    "LAUNCHER",
    "METRICS_ALLOW",
    "MODE",
    "ORGANIZATIONS_PER_OWNER",
    "PORT",
    "RECORDING_KEEP_DAYS",
    "REDIS_URL",
    "REGISTRATION",
    "RUN_FOLDER_KEEP_DAYS",
    "SECONDS",
    "SECRET_KEY",
    "STATIC_ROOT",
    "TEST_ENGINES",
    "WEB_THREADS",
}


def production_settings() -> dict[str, str]:
    """What an operator sets in production; nothing listens at these addresses."""
    return {
        "MODE": "production",
        "SECRET_KEY": secrets.token_urlsafe(64),
        "FIELD_KEYS": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "DATABASE_URL": "mysql://livestudio:x@127.0.0.1:9/livestudio",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "ALLOWED_HOSTS": "studio.example.org",
        "DATA_DIR": str(VENV / "check-deploy"),
    }


@dataclass(frozen=True, slots=True)
class Part:
    """One command of the checks; `environment` is computed only when the part runs.

    is_beside: it runs beside the parts after it. is_behind: so too, with what these leave over, and
    told only if it fails. is_alone: only what is behind runs beside it. cache: a folder in which
    pytest notes what failed; up to `again_max` tests of it are then tried once more.
    """

    name: str
    command: tuple[str | Path, ...]
    cwd: Path = ROOT
    environment: Callable[[], dict[str, str]] = field(default=dict)
    is_beside: bool = False
    is_behind: bool = False
    is_alone: bool = False
    cache: Path | None = None
    again_max: int = TRIED_AGAIN_MAX_FAST


def pytest_part(name: str, marks: str, *more: str) -> Part:
    """pytest over the tests with `marks`."""
    cache = ROOT / ".pytest_cache" / name.replace(" ", "-")
    pytest = (VENV_PYTHON, "-m", "pytest", "-q", "-o", f"cache_dir={cache}")
    return Part(name, (*pytest, "-m", marks, *more), cache=cache)


def live_part() -> Part:
    """The tests of real processes, serially: they count frames, nothing may take time from them."""
    part = pytest_part("pytest, live", "live and not gpu and not long")
    return replace(part, is_alone=True, again_max=TRIED_AGAIN_MAX)


def _database_part() -> Part:
    with_servers = (VENV_PYTHON, "-m", "tests.services")
    marks = f"database and {FAST}"
    ignored = [f"--ignore={folder}" for folder in NO_DATABASE]
    rerun = pytest_part("pytest on MariaDB and Redis", marks, "-n", "2", *ignored)
    return replace(rerun, command=(*with_servers, *rerun.command))


_COVER = ("--cov", "--cov-append", "--cov-report=")

ALL_PARTS: tuple[Part, ...] = (
    Part("ruff", (BIN / "ruff", "check", "--quiet", ".")),
    # Its timers are real ones: it waits for half of its time.
    Part(
        "vitest",
        ("npm", "run", "--silent", "test"),
        FRONTEND,
        frontend_environment,
        is_beside=True,
    ),
    # Real processes wait for each other: they leave over a third of two cores.
    Part("mypy", (BIN / "mypy",), is_behind=True),
    Part(
        "vue-tsc",
        ("npm", "run", "--silent", "typecheck"),
        FRONTEND,
        frontend_environment,
        is_behind=True,
    ),
    Part("import contracts", (BIN / "lint-imports",)),
    Part("manage.py check", (VENV_PYTHON, "manage.py", "check", "--fail-level=WARNING")),
    Part(
        "manage.py check --deploy",
        (VENV_PYTHON, "manage.py", "check", "--deploy", "--fail-level=WARNING"),
        environment=production_settings,
    ),
    Part(
        "makemigrations --check",
        (VENV_PYTHON, "manage.py", "makemigrations", "--check", "--dry-run"),
    ),
    Part("coverage erase", (BIN / "coverage", "erase")),
    pytest_part("pytest", FAST, "-n", "2", *_COVER),
    _database_part(),
    Part(
        "coverage of services and protocol",
        (BIN / "coverage", "report", "--skip-covered", "--fail-under=90"),
    ),
    live_part(),
)

LONG_PARTS: tuple[Part, ...] = (replace(pytest_part("pytest, long", "long", "-s"), again_max=0),)


def run_parts(parts: Sequence[Part], names: Sequence[str] = ()) -> int:
    """Run the parts whose name starts with one of `names` (all without names); 0 if all passed.

    After success nothing is printed behind the last part, so that its summary stays last.
    """
    chosen = [part for part in parts if not names or part.name.startswith(tuple(names))]
    if not chosen:
        known = ", ".join(part.name for part in parts)
        raise BootstrapError(f"No part is called {', '.join(names)}. Parts: {known}.", exit_code=2)
    failed: list[str] = []
    beside: list[tuple[Part, Future[_Ended]]] = []
    behind: list[tuple[Part, Future[_Ended]]] = []
    with ThreadPoolExecutor() as pool:
        for part in chosen:
            if part.is_beside or part.is_behind:
                goes_on = part.is_behind and CAN_STAND_BEHIND
                say(f"\n== {part.name}: {'behind' if goes_on else 'beside'} what follows")
                (behind if goes_on else beside).append((part, pool.submit(_run, part, PIPE)))
                continue
            if part.is_alone:
                failed += _end_all(beside)
            say(f"\n== {part.name}")
            if part.cache:
                # Tests that failed in a run before, and are gone now, would be counted too.
                shutil.rmtree(part.cache, ignore_errors=True)
            ended = _run(part)
            if part.cache and ended.code == TESTS_FAILED:
                ended = _try_again(part, part.cache, ended)
            failed += _verdict(part, ended)
        failed += _end_all(beside) + _failures_of(behind)
    if failed:
        say(f"\nFAILED: {', '.join(failed)}")
        return 1
    return 0


def _try_again(part: Part, cache: Path, first: _Ended) -> _Ended:
    """What failed once more, in a new process with servers of its own; never in silence."""
    failed = sorted(json.loads((cache / "v" / "cache" / "lastfailed").read_text()))
    if not 0 < len(failed) <= part.again_max:
        return first
    say(f"\n== {part.name}: TRIED AGAIN, for tests share their machine with others:")
    for name in failed:
        say(f"   failed once: {name}")
    # What passes now is listed in the last summary (-rp).
    return _run(replace(part, command=(*part.command, "--last-failed", "-n", "0", "-rp")))


def _end_all(beside: list[tuple[Part, Future[_Ended]]]) -> list[str]:
    """Wait for the parts that run beside, show them, and name those that failed."""
    failed: list[str] = []
    while beside:
        part, running = beside.pop(0)
        ended = running.result()
        say(f"\n== {part.name}\n{ended.output}")
        failed += _verdict(part, ended)
    return failed


def _failures_of(behind: list[tuple[Part, Future[_Ended]]]) -> list[str]:
    """Wait for the parts that run behind; show and name those that failed."""
    return _end_all([one for one in behind if one[1].result().code])


@dataclass(frozen=True, slots=True)
class _Ended:
    code: int
    seconds: float
    output: str


def _run(part: Part, output: int | None = None) -> _Ended:
    started = time.monotonic()
    # A demo's settings in the shell must not decide what the tests see.
    unwanted = {*PRODUCT_SETTINGS, NO_BYTECODE}
    inherited = {name: value for name, value in os.environ.items() if name not in unwanted}
    with subprocess.Popen(
        [str(word) for word in part.command],
        cwd=part.cwd,
        env={**inherited, **part.environment()},
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        text=True,
        start_new_session=part.is_behind,
    ) as child:
        if part.is_behind:
            _stand_behind(child.pid)
        told, _ = child.communicate()
    return _Ended(child.returncode, time.monotonic() - started, told or "")


def _stand_behind(process: int) -> None:
    """From here on it and its children run only when a processor has nothing else to do."""
    if CAN_STAND_BEHIND:
        os.sched_setscheduler(process, os.SCHED_IDLE, os.sched_param(0))
    # Where the kernel shares time between sessions first (sched(7), "The autogroup feature").
    with suppress(OSError):
        Path(f"/proc/{process}/autogroup").write_text("19")


def _verdict(part: Part, ended: _Ended) -> list[str]:
    """Say how it ended; its name if it failed."""
    is_ok = ended.code == 0
    if not part.name.startswith("pytest"):
        say(f"   {'ok' if is_ok else 'FAILED'} in {ended.seconds:.0f} s")
    elif ended.code == NO_TESTS_COLLECTED:
        say("   no test has this mark: a tier without tests proves nothing")
    return [] if is_ok else [part.name]
