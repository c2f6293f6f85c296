"""The console script of docs/api.md, run as the page says against a whole site."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.site import PASSWORD, Processes, new_site

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


@pytest.mark.live
def test_the_script_of_the_page_says_a_line_and_hears_it_said(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    script = tmp_path / "console.py"
    script.write_text(next(block for block in blocks if "ws_connect" in block))
    with new_site() as site:
        up = site.manage("up")
        try:
            site.wait_for_web()
            site.sign_up()
            broadcast = site.start_show()
            site.wait_for_state(broadcast, "live")
            arguments = [site.base_url, "alice", PASSWORD, broadcast]
            done = subprocess.run(
                [sys.executable, str(script), *arguments],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
        finally:
            processes = Processes(up.pid)
            up.terminate()
            assert up.wait(60) == 0, site.log("up")
            processes.kill_left()
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if line.endswith("Hello from a script.")]
    assert [line.split()[0] for line in said] == ["queued", "speaking", "said"]
