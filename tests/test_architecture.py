"""What the import contracts in pyproject.toml cannot say: what really gets loaded, and sizes."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

from scripts.provision.paths import ROOT

PACKAGES = (
    "livestudio",
    "accounts",
    "metering",
    "avatars",
    "voices",
    "webhooks",
    "streams",
    "inference",
)
RUNNER_SIDE = (
    "catalog",
    "egress",
    "egress_http",
    "engines",
    "gpu",
    "media",
    "outputs",
    "protocol",
    "runner",
    "text",
    "tool",
    "workers",
)
LONGEST_FILE_LINES = 450
LONGEST_FUNCTION_LINES = 60
# Only engines that need a GPU may bring them, and only inside their worker.
NEURAL_PACKAGES = {"torch", "diffusers", "whisper", "safetensors"}
MAY_IMPORT_TORCH = (
    "inference/engines/face/musetalk/",
    "inference/engines/face/wav2lip/",
    "inference/gpu/",
)

# Requirements that no import names, and what uses them.
USED_WITHOUT_IMPORT = {
    "bcrypt": "hashes of accounts, by Django's PASSWORD_HASHERS",
    "channels-redis": "CHANNEL_LAYERS in settings, by dotted path",
    "daphne": "INSTALLED_APPS and the command line",
    "drf-spectacular-sidecar": "INSTALLED_APPS",
    "django-cors-headers": "MIDDLEWARE",
    "noto-cjk-sans-otc": "inference/media/fonts.py finds its file without importing it",
    "pyjwt": "simplejwt signs with it",
    "redis": "the cache in settings, and channels-redis",
    "tzdata": "zoneinfo reads it where the system has no zones",
    "whitenoise": "MIDDLEWARE",
}


def sources(*folders: str) -> Iterator[Path]:
    """Python files of ours, generated migrations left out."""
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts and "node_modules" not in path.parts:
                yield path


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def is_runner_side(path: Path) -> bool:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[0] == "inference" and len(parts) > 1 and parts[1] in RUNNER_SIDE


def top_level_modules_after(setup: str, modules: list[str]) -> set[str]:
    """Names of top-level packages in sys.modules of a fresh process that imported `modules`."""
    code = (
        f"import sys, json, importlib\n{setup}\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_inference_package_itself_is_empty() -> None:
    assert (ROOT / "inference" / "__init__.py").read_text() == ""


def test_runner_side_loads_neither_django_nor_torch_nor_an_app() -> None:
    light = [path for path in sources("inference") if is_runner_side(path) and not is_neural(path)]
    modules = [module_name(path) for path in light]
    assert {"inference.protocol", "inference.engines.face.musetalk.weights"} <= set(modules)

    loaded = top_level_modules_after("", modules)

    assert not loaded & {"django", "rest_framework", "channels", "daphne", *NEURAL_PACKAGES}
    assert not loaded & {"livestudio", "accounts", "metering", "avatars", "voices", "streams"}


def test_web_side_loads_neither_torch_nor_a_codec() -> None:
    setup = (
        "import os\n"
        "os.environ['DJANGO_SETTINGS_MODULE'] = 'tests.settings'\n"
        "import django; django.setup()\n"
        # Each is a tenth of the start of every process, and few of them need it.
        "heavy = {'redis', 'icalendar', 'daphne.server'}\n"
        "assert not heavy & {*sys.modules}, heavy & {*sys.modules}"
    )
    modules = [module_name(path) for path in sources(*PACKAGES) if not is_runner_side(path)]
    assert "livestudio.asgi" in modules

    loaded = top_level_modules_after(setup, modules)

    assert not loaded & {*NEURAL_PACKAGES, "av", "aiortc", "cv2"}


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """(line, top-level package) of each absolute import anywhere in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name.partition(".")[0]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.lineno, node.module.partition(".")[0]


def is_neural(path: Path) -> bool:
    """Whether the file may import torch and itself does."""
    imported = {package for _, package in imports_of(path)}
    name = str(path.relative_to(ROOT))
    return name.startswith(MAY_IMPORT_TORCH) and bool(imported & NEURAL_PACKAGES)


def test_only_neural_engines_and_the_model_server_import_torch() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources(*PACKAGES)
        if not str(path.relative_to(ROOT)).startswith(MAY_IMPORT_TORCH)
        for line, package in imports_of(path)
        if package in NEURAL_PACKAGES
    ]

    assert found == []


def test_no_file_is_longer_than_450_lines() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in sources(*PACKAGES, "scripts", "tests", "benchmarks")
    }

    assert {name: n for name, n in lengths.items() if n > LONGEST_FILE_LINES} == {}


def test_no_function_is_longer_than_60_lines() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in sources(*PACKAGES, "scripts")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION_LINES
    ]

    assert too_long == []


def requirement_lines(name: str) -> list[str]:
    lines = (ROOT / "requirements" / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-"))]


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


REQUIREMENT_FILES = (
    "base.txt",
    "dev.txt",
    "e2e.txt",
    "mysql.txt",
    "neural.txt",
    "node.txt",
    "whisper.txt",
)


@pytest.mark.parametrize("name", REQUIREMENT_FILES)
def test_each_requirement_is_pinned_and_says_what_it_is_needed_for(name: str) -> None:
    lines = requirement_lines(name)

    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==\S+  # needed for \S.*", line), line


def test_each_base_requirement_is_used_and_each_import_is_required() -> None:
    required = required_in("base.txt")
    used = distributions_used_by(path for path in sources(*PACKAGES) if not is_neural(path))

    assert required - used - set(USED_WITHOUT_IMPORT) == set(), "nothing uses these"
    assert used - required - brought_by(required) == set(), "missing in requirements/base.txt"


def test_each_neural_requirement_is_used_and_each_import_is_required() -> None:
    required = required_in("neural.txt", "whisper.txt")
    used = distributions_used_by(path for path in sources("inference") if is_neural(path))

    assert required - used - brought_by({"openai-whisper"}) == set(), "nothing uses these"
    assert used - required - required_in("base.txt") == set(), "missing in requirements/neural.txt"
    without_triton = brought_by({"openai-whisper"}) - required - required_in("base.txt")
    assert without_triton == {"triton"}, "whisper.txt is installed without what it requires"


def required_in(*names: str) -> set[str]:
    """Distributions that the requirement files name themselves."""
    lines = [line for name in names for line in requirement_lines(name)]
    return {normalised(line.partition("==")[0]) for line in lines}


def distributions_used_by(paths: Iterable[Path]) -> set[str]:
    """Distributions of others that the files import."""
    imported = {package for path in paths for _, package in imports_of(path)}
    imported -= set(sys.stdlib_module_names) | set(PACKAGES)
    distributions = packages_distributions()
    return {normalised(name) for module in imported for name in distributions.get(module, [module])}


def brought_by(names: set[str]) -> set[str]:
    """Distributions that those of `names` require themselves (asgiref comes with Django)."""
    lines = [line for name in names for line in requires(name) or [] if "extra ==" not in line]
    return {normalised(re.split(r"[^A-Za-z0-9_.-]", line)[0]) for line in lines}


def test_ffmpeg_opens_nothing_that_a_user_names() -> None:
    """A demuxer would follow concat:, subfile: and playlists wherever they lead."""
    found = {
        f"{path.relative_to(ROOT)}: {ast.unparse(call.args[0])}"
        for path in sources(*PACKAGES)
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and ast.unparse(call.func) in ("av.open", "cv2.VideoCapture", "cv2.VideoWriter")
    }

    # All by a fixed format: files of ours that are written, bytes of ours in memory, and an upload
    # by what its first bytes say, with no protocol to reach anything else.
    assert found == {
        "inference/media/footage.py: whole",
        "inference/engines/face/avatar_preview.py: str(path)",
        "inference/outputs/recorder.py: str(path)",
        "inference/outputs/recorder.py: io.BytesIO(sample)",
    }
