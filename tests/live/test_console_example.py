"""The console script of docs/api.md, run as the page says against a whole site."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.site import ROOT
from tests.live.studio import Studio

pytestmark = pytest.mark.live

PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")


def test_the_script_of_the_page_says_a_line_and_hears_it_said(
    studio: Studio, tmp_path: Path
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    script = tmp_path / "console.py"
    script.write_text(next(block for block in blocks if "ws_connect" in block))
    platform = studio.platform
    with platform.on_air(studio.make_small_show(rundown_mode="loop")) as broadcast:
        arguments = [platform.base_url, platform.name, platform.password, broadcast]
        done = subprocess.run(
            [sys.executable, str(script), *arguments],
            capture_output=True, text=True, timeout=240, check=False,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.endswith("Hello from a script.")]
    assert [line.split()[0] for line in said] == ["queued", "speaking", "said"]
