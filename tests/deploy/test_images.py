"""Both targets of the Dockerfile, every step carried out: what is in them, and as whom they run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from scripts.provision.paths import REQUIREMENTS
from scripts.provision.steps import say
from tests.deploy.conftest import MARK, Built
from tests.deploy.container import Container, Image, Options
from tests.deploy.images import files_of, image_mib

pytestmark = pytest.mark.long

TARGETS = ("web", "runner")
# Beyond these, something was forgotten in a layer.
MOST_MIB = {"web": 1200, "runner": 1050}


@pytest.fixture(params=TARGETS)
def target(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def image(built: Built, target: str) -> Image:
    found: Image = getattr(built, target)
    return found


def run(image: Image, folder: Path, *command: str, text: bytes = b"") -> tuple[int, str]:
    """Exit status and output of a command in place of the image's own."""
    container = Container(image, folder, Options(), command)
    (folder / "given").write_bytes(text)
    with (folder / "given").open("rb") as stdin:
        container.start(stdin=stdin)
    try:
        return container.process.wait(180), container.output()
    finally:
        container.kill()


def shell(image: Image, folder: Path, script: str) -> str:
    """Output of a shell script in an image, as the image's user."""
    plain = Image(image.layers, image.environment, image.user, image.folder)
    code, output = run(plain, folder, "/bin/sh", "-euc", script)
    assert code == 0, output
    return output


def test_sizes(built: Built, target: str, image: Image) -> None:
    own = sum(image_mib(Image((layer,))) for layer in built.builder.own_layers(image))
    say(f"  {target}: {image_mib(image)} MiB, of which {own} above its base")

    assert image_mib(image) < MOST_MIB[target]


def test_it_runs_as_a_user_who_cannot_change_the_code(image: Image, tmp_path: Path) -> None:
    assert image.owner()[0] == 10001
    script = """
        test "$(id -u)" = 10001 && test "$(id -G)" = 10001
        test -w /data && test -w "$HOME"
        find / -xdev -writable -not -type l 2>/dev/null || true
    """
    writable = set(shell(image, tmp_path, script).split())
    allowed = re.compile(r"/(data|tmp|var/tmp|run/lock|var/lock|home/livestudio)(/|$)")

    assert {path for path in writable if not allowed.match(path)} == set()


def test_no_layer_holds_what_was_lying_about(built: Built, image: Image) -> None:
    for layer in built.builder.own_layers(image):
        found = subprocess.run(
            ["grep", "-rlF", "-e", MARK, "-e", "/dev/host/", layer],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (found.returncode, found.stdout) == (1, ""), found.stdout


def test_no_layer_holds_a_key_or_what_was_thrown_away(built: Built, image: Image) -> None:
    thrown_away = ("tmp/build", "var/lib/apt/lists", "root/.cache", "root/.npm")
    for layer in built.builder.own_layers(image):
        names = {path.name for path in (layer / "app").rglob("*")}
        assert not names & {"secret_key", "field_keys", ".env", "livestudio.sqlite3"}
        assert not [name for name in names if name.endswith((".key", ".pem"))]
        for folder in thrown_away:
            left = [path for path in (layer / folder).rglob("*") if path.is_file()]
            assert not left, f"{folder} in {layer}"


def test_no_tool_of_its_makers_is_in_it(image: Image, tmp_path: Path) -> None:
    listed = shell(image, tmp_path, "python -m pip list --format=freeze").splitlines()
    packages = {plain_name(line.partition("==")[0]) for line in listed if "==" in line}
    files = [(REQUIREMENTS / f"{name}.txt").read_text() for name in ("dev", "e2e", "neural")]
    found = re.findall(r"^([\w-]+)==", "\n".join(files), re.MULTILINE)
    unwanted = {plain_name(name) for name in found}

    assert {"pytest", "ruff", "playwright", "torch"} <= unwanted
    assert packages & unwanted == set()
    names = files_of(image)
    assert not {f"usr/bin/{name}" for name in ("gcc", "x86_64-linux-gnu-gcc-12", "make")} & names
    assert not [name for name in names if name.startswith(("app/tests/", "app/docs/"))]
    assert not [name for name in names if re.match(r"usr/local/bin/(node|npm)$", name)]


def plain_name(name: str) -> str:
    """A package's name as indexes compare it."""
    return name.lower().replace("_", "-")


def test_licences_travel_with_what_they_cover(image: Image) -> None:
    assert {"app/LICENSE", "app/NOTICE"} <= files_of(image)


def test_code_is_compiled_in_the_image(image: Image) -> None:
    names = files_of(image)
    own = [name for name in names if re.match(r"app/inference/.*\.py$", name)]
    compiled = [
        re.sub(r"([^/]+)\.py$", r"__pycache__/\1.cpython-311.pyc", name) in names for name in own
    ]

    assert len(own) > 100
    assert all(compiled)


def test_the_web_image_has_the_driver_and_the_built_studio(built: Built, tmp_path: Path) -> None:
    script = 'import MySQLdb, importlib.metadata as m; print(m.version("mysqlclient"))'
    told = shell(built.web, tmp_path, f"python -c '{script}'")

    wanted = re.search(r"^mysqlclient==(\S+)", (REQUIREMENTS / "mysql.txt").read_text(), re.M)
    assert wanted is not None
    assert told.strip() == wanted[1]
    names = files_of(built.web)
    assert "app/frontend/dist/index.html" in names
    assert [name for name in names if name.startswith("app/livestudio/static_collected/admin/")]


def test_the_web_image_refuses_to_start_without_secrets(built: Built, tmp_path: Path) -> None:
    code, output = run(built.web, tmp_path, *built.web.command)

    assert code != 0
    assert "SECRET_KEY" in output


def test_the_runner_says_what_it_was_not_told(built: Built, tmp_path: Path) -> None:
    code, output = run(built.runner, tmp_path)

    assert code == 2
    assert "no bootstrap document came" in output


def test_the_runner_image_has_nothing_of_the_web_side(built: Built, tmp_path: Path) -> None:
    told = shell(built.runner, tmp_path, f"python -c '{LOAD_ALL}'")

    assert told.strip() == "set()"
    own = {name.split("/")[1] for name in files_of(built.runner) if name.startswith("app/")}
    assert own == {"LICENSE", "NOTICE", "inference", "requirements"}


LOAD_ALL = """
import sys
import inference.runner.session, inference.tool, inference.workers.face, inference.workers.speech
print({"django", "MySQLdb", "torch"} & set(sys.modules))
"""
