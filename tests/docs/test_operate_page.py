"""docs/operate.md names every setting, and quotes the product's own words."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "operate.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "livestudio" / "settings.py").read_text(encoding="utf-8")
# Quoted in the troubleshooting table up to what differs from case to case.
QUOTED = {
    "livestudio/management/commands/up.py": ["Choose another: PORT=8010."],
    "livestudio/env.py": ["cannot be used. Allowed: "],
    "streams/errors.py": [
        "This show cannot go on air yet",
        "This show is on air already. Stop that broadcast first.",
        "This broadcast has as many viewers as it can serve directly.",
    ],
    "inference/egress.py": ["a private address", "Only public addresses work."],
    "inference/outputs/rtmp/publisher.py": [
        "nobody listens at ",
        "accepts connections but does not answer as an RTMP server",
        "does not speak TLS; is it rtmp:// rather than rtmps://?",
        "the platform hung up when the stream began; is the stream key right?",
        "the platform says this stream key is already in use or not valid",
        "the server took no data for ",
    ],
    "inference/outputs/recorder.py": [
        "the disk is full; the show goes on, the recording has stopped"
    ],
    "streams/services/supervision.py": [
        "There is no word from the presenter's process; it may still be on air."
    ],
    "streams/services/launching.py": ["The presenter's process ended "],
}


def test_every_setting_is_in_the_table_and_no_other() -> None:
    read = set(re.findall(r'read_\w+\(\s*"([A-Z_]+)"', SETTINGS))
    rows = re.findall(r"^\| (`[A-Z][^|]*`) \|", PAGE, re.MULTILINE)
    # A key of the console is one letter.
    told = {name for row in rows for name in re.findall(r"`([A-Z_]{2,})`", row)}
    assert told - {"SECONDS"} == read  # that one is read by `up` alone


@pytest.mark.parametrize(
    ("path", "text"), [(path, text) for path, texts in QUOTED.items() for text in texts]
)
def test_quoted_messages_are_those_of_the_code(path: str, text: str) -> None:
    assert text in (ROOT / path).read_text(encoding="utf-8")
    assert text in PAGE
