"""Names of files that outputs write."""

from __future__ import annotations

import pytest

from inference.runner.output_board import file_name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("evening.mp4", "evening"),
        ("evening", "evening"),
        ("../../etc/passwd", "passwd"),
        ("a b:c.mp4", "a-b-c"),
        (".mp4", "output"),
        ("", "output"),
    ],
)
def test_a_file_output_has_a_safe_name_without_its_ending(given: str, name: str) -> None:
    assert file_name(given) == name
