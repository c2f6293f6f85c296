"""A machine without any network: product and browser see nothing but loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.live.site import EMPTY_DATABASE, ROOT, empty_database

pytestmark = pytest.mark.live


def test_show_plays_where_there_is_only_loopback() -> None:
    # An ordinary user may make a network namespace inside a user namespace.
    flags = "-n" if os.geteuid() == 0 else "-rn"
    done = subprocess.run(
        ["unshare", flags, sys.executable, "-m", "tests.live.alone"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, EMPTY_DATABASE: str(empty_database())},
        timeout=480,
        check=False,
    )

    assert done.returncode == 0, done.stderr[-4000:]
    played = json.loads(done.stdout.splitlines()[-1])
    assert played["interfaces"] == ["lo"]
    assert played["frames"] >= 50
    assert played["address"] == "127.0.0.1"
