"""The worked example of docs/add-an-engine.md, run as the page says, so that it stays true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference import catalog
from inference.engines.base import VISEMES
from inference.workers.wire import Json, pack, read_message

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "add-an-engine.md").read_text(encoding="utf-8")
# The page's catalog line goes into the table of the worker; its module comes from `folder`.
WORKER = """
import sys
sys.path.insert(0, {folder!r})
from inference import catalog
from inference.catalog import EngineEntry
catalog.ENGINES += ({entry},)
from inference.workers.speech import main
main()
"""


def code_block(marker: str) -> str:
    """The first Python block of the page that begins with a comment `# marker`."""
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return next(block for block in blocks if block.startswith(f"# {marker}"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page's engine as a file."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "example_engine.py").write_text(code_block("inference/engines/speech/hum/engine.py"))
    return folder


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[tuple[Json, bytes]]:
    """What the worker says to one request for the page's voice."""
    entry = code_block("inference/catalog.py").partition("\n")[2].strip().rstrip(",")
    entry = entry.replace("inference.engines.speech.hum.engine:", "example_engine:")
    voice = {"engine": "hum", "language": "en-US", "settings": {"pitch_hz": 200}}
    request = {"type": "synthesize", "request": "1", "text": "Hello there.", "voice": voice}
    bad = {**request, "request": "2", "voice": {**voice, "settings": {"pitch_hz": "high"}}}
    with subprocess.Popen(
        [sys.executable, "-c", WORKER.format(folder=str(folder), entry=entry)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
    ) as worker:  # fmt: skip
        assert worker.stdin is not None
        assert worker.stdout is not None
        worker.stdin.write(pack(request) + pack(bad))
        worker.stdin.flush()
        found = list(_until_two_ends(worker.stdout))
        worker.stdin.close()
        assert worker.wait(10) == 0
    return found


def _until_two_ends(stream: object) -> Iterator[tuple[Json, bytes]]:
    ends = 0
    while ends < 2:
        message = read_message(stream)  # type: ignore[arg-type]
        assert message is not None, "the worker ended"
        ends += message[0]["type"] in ("done", "failed")
        yield message


def test_the_engine_of_the_page_speaks_through_the_worker(
    answers: list[tuple[Json, bytes]],
) -> None:
    sound = b"".join(payload for header, payload in answers if header["type"] == "chunk")
    samples = np.frombuffer(sound, "<i2").astype(float)
    assert len(samples) / 48_000 == pytest.approx(12 * 0.08, abs=0.05)
    spectrum = np.abs(np.fft.rfft(samples))
    assert np.argmax(spectrum) * 48_000 / len(samples) == pytest.approx(200, abs=5)


def test_the_lips_follow_the_words_of_the_page(answers: list[tuple[Json, bytes]]) -> None:
    track = next(h for h, _ in reversed(answers) if h["type"] == "track")
    names = [VISEMES[index] for _, index, _ in track["visemes"]]
    assert names[-1] == "sil"
    assert "aa" in names
    assert track["words"] == [[0.0, 0], [pytest.approx(6 * 0.08, abs=0.001), 6]]


def test_a_bad_setting_is_refused_in_words(answers: list[tuple[Json, bytes]]) -> None:
    header = answers[-1][0]
    assert (header["type"], header["code"]) == ("failed", "bad_voice_setting")
    assert "pitch" in header["message"]


def test_the_catalog_line_of_the_page_is_one() -> None:
    line = code_block("inference/catalog.py")
    call = ast.parse(line.strip().rstrip(",")).body[0]
    assert isinstance(call, ast.Expr)
    assert isinstance(call.value, ast.Call)
    values = [ast.literal_eval(item) for item in call.value.args]
    entry = catalog.EngineEntry(*values)
    assert replace(entry, name="x").kind == "speech"


def test_the_page_names_every_method_of_a_face() -> None:
    for name in ("start_speech", "cut", "set_expression", "play_gesture", "render", "close"):
        assert f"`{name}`" in PAGE
