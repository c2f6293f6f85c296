"""What is told to the outside."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from accounts import hooks
from accounts.event_types import EVENT_TYPES, schema
from accounts.events import emit
from accounts.hooks import Happening

ORGANIZATION = uuid4()


@pytest.fixture
def told() -> Iterator[list[Happening]]:
    before, heard = list(hooks.EVENT_HAPPENED), []
    hooks.EVENT_HAPPENED[:] = [heard.append]
    yield heard
    hooks.EVENT_HAPPENED[:] = before


def test_emit_tells_the_event_with_the_id_of_its_organization(told: list[Happening]) -> None:
    emit(ORGANIZATION, "show.created", {"show": "1", "title": "Morning"})

    assert [item.kind for item in told] == ["show.created"]
    assert told[0].data == {"organization": str(ORGANIZATION), "show": "1", "title": "Morning"}
    assert told[0].at.tzinfo is not None


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("show.vanished", {"show": "1", "title": "x"}),
        ("show.created", {"show": "1"}),
        ("show.created", {"show": "1", "title": "x", "stream_key": "y"}),
    ],
)
def test_emit_refuses_what_is_not_in_the_table(
    kind: str, data: dict[str, str], told: list[Happening]
) -> None:
    with pytest.raises(LookupError):
        emit(ORGANIZATION, kind, data)

    assert told == []


def test_schema_defines_every_type_with_its_fields() -> None:
    definitions = schema()["$defs"]

    assert set(definitions) == set(EVENT_TYPES)
    for name, entry in EVENT_TYPES.items():
        data = definitions[name]["properties"]["data"]
        assert set(data["required"]) == {"organization", *entry.fields}
