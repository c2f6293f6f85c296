"""What the frontend is typed by is made from the API and the websockets as they are now."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command

from scripts.provision.frontend import frontend_environment

FRONTEND = Path(__file__).resolve().parents[2] / "frontend"
AGAIN = "make all of them anew, in frontend/: npm run generate:api"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", "--lang", "en", "--file", str(path))
    return path


def test_exported_schema_is_that_of_the_api(exported: Path) -> None:
    assert exported.read_text() == (FRONTEND / "openapi.yaml").read_text(), AGAIN


def test_generated_types_are_those_of_the_schema(tmp_path: Path) -> None:
    made = tmp_path / "openapi.ts"

    _run("node_modules/.bin/openapi-typescript", "openapi.yaml", "-o", str(made))

    assert made.read_text() == (FRONTEND / "src" / "api" / "openapi.ts").read_text(), AGAIN


def test_types_of_socket_messages_are_those_of_their_schema(tmp_path: Path) -> None:
    made = tmp_path / "sockets.ts"

    _run("node", "scripts/socket-types.mjs", str(made))

    assert made.read_text() == (FRONTEND / "src" / "realtime" / "sockets.ts").read_text(), AGAIN


def _run(*command: str) -> None:
    environment = {**os.environ, **frontend_environment()}
    subprocess.run(command, check=True, capture_output=True, cwd=FRONTEND, env=environment)
