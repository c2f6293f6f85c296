"""docs/webhooks.md: its samples run, its table and schema are those of the code."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from accounts.event_types import EVENT_TYPES, schema
from webhooks.services.deliveries import RETRY_SECONDS
from webhooks.signing import headers_of, new_secret

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "webhooks.md").read_text(encoding="utf-8")
BODY = '{"type":"show.created","data":{"title":"早安"}}'


def sample(language: str) -> str:
    found = re.search(rf"```{language}\n(.+?)```", PAGE, re.DOTALL)
    assert found is not None
    return found.group(1)


def verify_in_python(secret: str, headers: dict[str, str], body: str) -> bool:
    names: dict[str, Any] = {}
    exec(sample("python"), names)  # noqa: S102 - our own page, which is what is tested
    return bool(names["verify"](secret, headers, body.encode()))


def verify_in_node(secret: str, headers: dict[str, str], body: str) -> bool:
    arguments = json.dumps([secret, headers, body])
    code = f"{sample('js')}\nconsole.log(verify(...{arguments}))"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "true"


@pytest.mark.parametrize("verify", [verify_in_python, verify_in_node])
def test_samples_take_what_is_signed_and_nothing_else(verify: Any) -> None:
    old, new, now = new_secret(), new_secret(), int(time.time())
    headers = headers_of("msg_1", now, BODY.encode(), [new, old])
    stale = headers_of("msg_1", now - 600, BODY.encode(), [new])

    assert verify(new, headers, BODY)
    assert verify(old, headers, BODY)
    assert not verify(new_secret(), headers, BODY)
    assert not verify(new, headers, BODY + " ")
    assert not verify(new, {**headers, "webhook-id": "msg_2"}, BODY)
    assert not verify(new, stale, BODY)


def test_table_and_schema_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `([a-z.]+)`( \(opt-in\))? \| (.+) \| (.*) \|$", PAGE, re.MULTILINE)
    written = {
        name: (about, re.findall(r"`(\w+)`", fields), bool(opt_in))
        for name, opt_in, about, fields in rows
    }
    known = {
        name: (entry.about, list(entry.fields), entry.is_opt_in)
        for name, entry in EVENT_TYPES.items()
    }
    kept = json.loads((DOCS / "webhook-events.schema.json").read_text(encoding="utf-8"))

    assert written == known
    assert kept == schema(), "write json.dumps(schema(), indent=1, ensure_ascii=False) there"


def test_the_retries_told_are_those_made() -> None:
    units = {"s": 1, "min": 60, "h": 3600}
    text = PAGE.partition("tried again after ")[2].partition(", each")[0]
    told = [int(n) * units[unit] for n, unit in re.findall(r"(\d+) (s|min|h)", text)]

    assert tuple(told) == RETRY_SECONDS
