"""The parts of the bootstrap that decide something."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.provision import (
    checks,
    debian,
    environment,
    failures,
    frontend,
    steps,
    tools,
)
from scripts.provision.paths import ROOT

DEPENDS = """\
server
  PreDepends: init-system-helpers
  Depends: libc6
  Depends: libone
 |Depends: libchosen
  Depends: libother
  Depends: <virtual>
    provider
  Depends: perl
libone
  Depends: libtwo
  Depends: zlib1g
libtwo
  Depends: libone
libchosen
zlib1g
libother
perl
libc6
init-system-helpers
"""


def test_unpacks_roots_and_their_libraries_only() -> None:
    assert debian.packages_to_unpack(("server",), DEPENDS) == [
        "libchosen",
        "libone",
        "libtwo",
        "server",
        "zlib1g",
    ]


def test_unknown_root_is_named() -> None:
    with pytest.raises(debian.MissingPackagesError, match="chromium") as caught:
        debian.packages_to_unpack(("server", "chromium"), DEPENDS)

    assert caught.value.names == ["chromium"]


@pytest.mark.parametrize(
    ("name", "is_followed"),
    [
        ("libssl3", True),
        ("zlib1g", True),
        ("libc6", False),
        ("libdbi-perl", False),
        ("gawk", False),
    ],
)
def test_follows_libraries_but_never_libc_or_scripts(name: str, is_followed: bool) -> None:
    assert debian.is_followed(name) is is_followed


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("ERROR: Could not install: [Errno 28] No space left on device", "the disk is full"),
        ("WARNING: Retrying … Temporary failure in name resolution", "network cannot be reached"),
        ("ERROR: No matching … (from versions: none)", "network cannot be reached"),
        ("npm ERR! code ENOTFOUND", "network cannot be reached"),
        ("one\nerror: gcc said no\nbye", "error: gcc said no"),
        ("", "no output"),
    ],
)
def test_failure_is_explained_in_one_line(output: str, words: str) -> None:
    text = failures.explain("Installing", output)

    assert words in text
    assert "\n" not in text


def test_busy_port_is_refused_with_another_proposed() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(failures.BootstrapError, match=f"Port {port} is in use.*PORT="):
            failures.require_free_port("127.0.0.1", str(port))

    failures.require_free_port("127.0.0.1", str(port))


@pytest.mark.parametrize("port", ["http", "-1", "0", "70000", "8000 ", "²"])
def test_port_that_is_no_number_is_refused(port: str) -> None:
    with pytest.raises(failures.BootstrapError, match="PORT must be a number"):
        failures.require_free_port("127.0.0.1", port)


def test_address_of_another_machine_is_refused() -> None:
    with pytest.raises(failures.BootstrapError, match=r"HOST=192\.0\.2\.1 .* cannot be used"):
        failures.require_free_port("192.0.2.1", "8000")


def test_full_disk_is_told_before_the_download(tmp_path: Path) -> None:
    with pytest.raises(failures.BootstrapError, match=r"needs about 10{9} MiB .* are free"):
        failures.require_disk(tmp_path, needed_mib=10**9, purpose="Installing")

    failures.require_disk(tmp_path, needed_mib=1, purpose="Installing")


def test_requirement_files_follow_inclusions(tmp_path: Path) -> None:
    (tmp_path / "base.txt").write_text("Django==5\n")
    (tmp_path / "dev.txt").write_text("# tests\n-r base.txt\npytest==9\n")
    (tmp_path / "lock.txt").write_text("Django==5\npytest==9\n")

    names = [path.name for path in environment.requirement_files("dev", tmp_path)]

    assert names == ["base.txt", "dev.txt", "lock.txt"]


def test_lock_names_no_build_of_pytorch() -> None:
    frozen = "tomli==2\ntorch==2.13.0+cpu\ntriton==3.7.1\nnvidia-cublas==13\ntorchsnapshot==1+x\n"

    assert environment.portable(frozen) == "tomli==2\ntorch==2.13.0\ntorchsnapshot==1+x\n"


def test_pytorch_comes_from_its_cpu_index_only_where_that_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    monkeypatch.setattr(environment, "TORCH_CPU_INDEX", f"http://127.0.0.1:{port}/whl/cpu")

    assert environment.pip_options("neural") == []
    assert environment.pip_options("whisper") == ["--no-deps"]


def test_stamp_holds_until_an_input_changes(tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("one")
    stamp = tmp_path / "stamps" / "step"
    steps.write_stamp(stamp, steps.digest([source]))

    assert steps.is_stamped(stamp, steps.digest([source]))

    source.write_text("two")

    assert not steps.is_stamped(stamp, steps.digest([source]))
    assert not steps.is_stamped(tmp_path / "absent", steps.digest([source]))


def test_frontend_is_stale_when_a_source_changes_or_moves(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.ts").write_text("1")
    before = frontend.source_digest(tmp_path)

    (tmp_path / "dist").mkdir()
    (tmp_path / "dist" / "out.js").write_text("built")
    after_build = frontend.source_digest(tmp_path)
    (tmp_path / "src" / "a.ts").rename(tmp_path / "a.ts")

    assert after_build == before
    assert frontend.source_digest(tmp_path) != before


@pytest.mark.parametrize(
    ("text", "version"), [("v20.19.1", (20, 19)), ("v22.1.0", (22, 1)), ("", (0, 0)), ("x", (0, 0))]
)
def test_node_version_is_read(text: str, version: tuple[int, int]) -> None:
    assert frontend.parse_version(text) == version


def test_own_node_trusts_what_the_machine_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "ca.crt"
    monkeypatch.setattr(frontend, "CERTIFICATES", bundle)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv(frontend.TRUSTED, raising=False)

    assert list(frontend.frontend_environment()) == ["PATH"]
    bundle.touch()
    assert frontend.frontend_environment()[frontend.TRUSTED] == str(bundle)
    monkeypatch.setenv(frontend.TRUSTED, "/own/ca.crt")
    assert list(frontend.frontend_environment()) == ["PATH"]


def test_newest_pip_wheel_is_chosen(tmp_path: Path) -> None:
    for age_seconds, name in ((100, "pip-22-py3-none-any.whl"), (10, "pip-23-py3-none-any.whl")):
        wheel = tmp_path / name
        wheel.touch()
        os.utime(wheel, (1e9 - age_seconds, 1e9 - age_seconds))

    found = environment.find_pip_wheel([str(tmp_path)])

    assert found == tmp_path / "pip-23-py3-none-any.whl"
    assert environment.find_pip_wheel([str(tmp_path / "absent")]) is None


def part(name: str, command: str) -> checks.Part:
    return checks.Part(name, ("sh", "-c", command))


def test_one_failed_part_fails_the_run_but_the_others_still_run(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    parts = [part("lint", "exit 1"), part("tests", f"touch {tmp_path}/ran")]

    code = checks.run_parts(parts)

    assert code == 1
    assert (tmp_path / "ran").exists()
    assert capfd.readouterr().out.splitlines()[-1] == "FAILED: lint"


def test_summary_of_the_last_tests_is_the_last_line(capfd: pytest.CaptureFixture[str]) -> None:
    parts = [part("lint", "true"), part("pytest, live", "echo 12 passed in 3s")]

    code = checks.run_parts(parts)

    assert code == 0
    assert capfd.readouterr().out.splitlines()[-1] == "12 passed in 3s"


def test_only_named_parts_run_and_an_unknown_name_is_refused() -> None:
    parts = [part("lint", "exit 1"), part("tests", "true")]

    assert checks.run_parts(parts, ["tests"]) == 0
    with pytest.raises(failures.BootstrapError, match="Parts: lint, tests"):
        checks.run_parts(parts, ["nonsense"])


def test_settings_of_a_demo_in_the_shell_do_not_reach_the_tests(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MODE", "production")
    monkeypatch.setenv("DATABASE_URL", "mysql://production")

    assert checks.run_parts([part("tests", 'test -z "$MODE$DATABASE_URL"')]) == 0


def test_what_parts_compile_is_kept_even_where_an_image_forbids_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(checks.NO_BYTECODE, "1")

    assert checks.run_parts([part("tests", f'test -z "${checks.NO_BYTECODE}"')]) == 0


def test_missing_tool_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(tools.MissingToolError, match=r"bootstrap\.py test"):
        tools.find_tool("redis", tmp_path)


def test_chromium_of_the_machine_is_preferred_to_the_unpacked_one(tmp_path: Path) -> None:
    system = tmp_path / "chromium"
    system.touch()
    unpacked = tmp_path / tools.PLACES["chromium"]
    unpacked.parent.mkdir(parents=True)
    unpacked.touch()

    assert tools.find_chromium(tmp_path, system).executable == system

    found = tools.find_chromium(tmp_path, tmp_path / "absent")

    assert found.executable == unpacked
    assert Path(found.environment["FONTCONFIG_FILE"]).is_relative_to(tmp_path)


def test_wrong_command_prints_usage_and_exits_with_2() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "bootstrap.py", "fly"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert "usage: bootstrap.py demo" in done.stderr


def test_bootstrap_needs_only_the_standard_library() -> None:
    code = "import sys; sys.path.insert(0, 'scripts'); import provision.main"

    # -S: without site-packages; -I: without the environment of the test run.
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, check=True)


def test_part_behind_outlives_what_is_alone_and_is_told_if_it_fails(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    last = replace(part("pytest, live", f"touch {mark}; echo 12 passed"), is_alone=True)
    wait = f"until test -e {mark}; do sleep 0.01; done; chrt -p $$; "

    for end, code in (("true", 0), ("false", 1)):
        mark.unlink(missing_ok=True)
        slow = replace(part("slow", wait + end), is_behind=True)

        assert checks.run_parts([slow, last]) == code

        told = capfd.readouterr().out
        assert ("SCHED_IDLE" in told) == bool(code)
        assert told.splitlines()[-1] == ("FAILED: slow" if code else "12 passed")


def test_part_beside_runs_with_the_next_and_ends_before_what_is_alone(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    waiting = replace(part("slow", f"until test -e {mark}; do sleep 0.01; done; echo slept; false"),
                      is_beside=True)  # fmt: skip
    parts = [waiting, part("next", f"touch {mark}"), replace(part("last", "true"), is_alone=True)]

    assert checks.run_parts(parts) == 1

    told = capfd.readouterr().out
    assert told.index("== next") < told.index("slept") < told.index("== last")
    assert "FAILED: slow" in told


def failing_part(folder: Path, tests: str) -> checks.Part:
    """pytest over `tests`, which may count their runs in a file `runs` beside them."""
    (folder / "test_it.py").write_text(tests)
    (folder / "pytest.ini").write_text("[pytest]\n")
    own = ("-q", "-p", "xdist", "-o", f"cache_dir={folder / 'cache'}")
    return checks.Part(
        "pytest, live",
        (sys.executable, "-m", "pytest", *own),
        folder,
        lambda: {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # they take seconds to load
        cache=folder / "cache",
        again_max=AGAIN_MAX,
    )


AGAIN_MAX = 2

FAILS_ONCE = """
import pathlib
runs = pathlib.Path(__file__).with_name("runs")
def test_unlucky():
    runs.write_text(runs.read_text() + "u" if runs.exists() else "u")
    assert len(runs.read_text()) > 1
def test_lucky():
    pass
"""


def test_test_that_failed_is_tried_again_and_told(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert checks.run_parts([failing_part(tmp_path, FAILS_ONCE)]) == 0

    told = capfd.readouterr().out
    assert "1 failed, 1 passed" in told
    assert "TRIED AGAIN" in told
    assert "failed once: test_it.py::test_unlucky" in told
    assert told.index("TRIED AGAIN") < told.index("PASSED test_it.py::test_unlucky")
    assert "1 passed" in told.splitlines()[-1]


def test_what_failed_in_a_run_before_is_not_counted(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    before = tmp_path / "cache" / "v" / "cache" / "lastfailed"
    before.parent.mkdir(parents=True)
    before.write_text('{"test_gone.py::test_1": true, "test_gone.py::test_2": true}')

    assert checks.run_parts([failing_part(tmp_path, FAILS_ONCE)]) == 0

    assert "test_gone" not in capfd.readouterr().out


@pytest.mark.parametrize(("count", "tries"), [(1, 2), (AGAIN_MAX + 1, 1)])
def test_what_fails_twice_has_failed_and_much_that_fails_is_no_accident(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, count: int, tries: int
) -> None:
    tests = "".join(f"def test_{number}():\n    assert False\n" for number in range(count))

    assert checks.run_parts([failing_part(tmp_path, tests)]) == 1

    told = capfd.readouterr().out
    assert told.count(f"{count} failed in") == tries
    assert "FAILED: pytest, live" in told
