"""docs/api.md names every address, verb, profile and error code there is, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from django.urls import URLPattern, URLResolver

from inference.catalog import PROFILES
from livestudio.common.errors import error_codes
from livestudio.urls import api_patterns
from streams.api.broadcasts import VERB_VIEWS
from streams.verbs import VERBS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    """The text below a heading, up to the next one."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def routes(patterns: list[URLPattern | URLResolver]) -> Iterator[str]:
    """The addresses below these patterns."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from (f"{pattern.pattern}{route}" for route in routes(pattern.url_patterns))
        else:
            yield str(pattern.pattern)


def test_addresses_are_those_of_the_code() -> None:
    named = section("All addresses") + section("Verbs") + PAGE.partition("\n## ")[0]
    for route in routes(api_patterns):
        words = [word for word in route.split("/") if word and not word.startswith("<")]
        missing = [word for word in words if not re.search(rf"\b{word}\b", named)]
        assert not missing, f"docs/api.md does not name {route}"


def test_error_codes_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| [0-9, ]+ \| (.+) \|$", section("Errors"), re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(error_codes())


def test_verbs_are_those_of_the_code() -> None:
    verbs = section("Verbs")
    rows = re.findall(r"^\| `(\w+)` \| `\{", verbs, re.MULTILINE)
    assert sorted(rows) == sorted(VERB_VIEWS)
    of_outputs = re.findall(r"`(output_\w+)\s*\{", verbs)
    assert sorted(rows + of_outputs) == sorted(VERBS)


def test_profiles_are_those_of_the_catalog() -> None:
    for profile in PROFILES:
        size = f"{profile.width_px}x{profile.height_px}@{profile.frames_per_second}"
        assert f"`{profile.name}` {size}" in PAGE
