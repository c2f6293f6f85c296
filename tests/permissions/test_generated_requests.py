"""Requests made from the OpenAPI schema, of every role: no failure, and nothing undocumented.

The schema writes the requests (schemathesis), right ones and wrong ones. Where the address names a
row, half of them name one that there is: otherwise all would end at 404.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from django.utils import translation
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from accounts.roles import Role
from tests.permissions.stand_ins import put_stand_ins
from tests.permissions.world import World, keep_cached, make_askers, make_worlds


@schemathesis.serializer("application/sdp", "application/trickle-ice-sdpfrag")
def _text(context: Any, value: Any) -> bytes:
    return str(value).encode(errors="replace")


CHECKS: Final = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ROLES: Final = (*Role.values, "anonymous")
# Streamed by an asynchronous iterator, which a synchronous caller may not read.
STREAMED: Final = ("get_recording_file",)
FAST_EXAMPLES: Final = 2
LONG_EXAMPLES: Final = 40


@pytest.fixture(scope="module")
def schema() -> Any:
    with translation.override("en"):
        made = SchemaGenerator().get_schema(request=None, public=True)
    loaded = schemathesis.openapi.from_dict(made)
    loaded.app = get_wsgi_application()
    return loaded


@pytest.fixture
def world(db: None, monkeypatch: pytest.MonkeyPatch) -> World:
    put_stand_ins(monkeypatch)
    return make_worlds()[0]


@pytest.fixture
def tokens(world: World) -> dict[str, str]:
    """An access token of each role; none for who is not signed in."""
    return {asker.name: asker.token for asker in make_askers(world) if asker.name in ROLES}


@pytest.fixture(autouse=True)
def _without_limits(settings: Any) -> None:
    settings.REQUESTS_PER_MINUTE = dict.fromkeys(settings.REQUESTS_PER_MINUTE, 10**6)


@pytest.fixture(autouse=True)
def _connection_kept() -> Iterator[None]:
    """A request ends by closing old connections; here it runs inside the test's transaction."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


def operations(schema: Any) -> list[Any]:
    found = [result.ok() for result in schema.get_all_operations()]
    return [item for item in found if item.definition.raw["operationId"] not in STREAMED]


def test_some_requests_of_each_operation(schema: Any, world: World, tokens: dict[str, str]) -> None:
    """Each operation by one role; `make test-long` asks as every role, more often."""
    wrong = {}
    for number, operation in enumerate(operations(schema)):
        role = ROLES[number % len(ROLES)]
        wrong |= _complaints(operation, world, tokens[role], role, FAST_EXAMPLES)

    assert not wrong, "\n\n".join(f"{name}:\n{text}" for name, text in wrong.items())


@pytest.mark.long
@pytest.mark.parametrize("role", ROLES)
def test_many_requests_of_each_operation(
    role: str, schema: Any, world: World, tokens: dict[str, str]
) -> None:
    wrong = {}
    for operation in operations(schema):
        wrong |= _complaints(operation, world, tokens[role], role, LONG_EXAMPLES)

    assert not wrong, "\n\n".join(f"{name}:\n{text}" for name, text in wrong.items())


def _complaints(
    operation: Any, world: World, token: str, role: str, examples: int
) -> dict[str, str]:
    """What is wrong with the answers of one operation; empty when nothing is."""
    ids = {name: str(value) for name, value in world.ids.items()}
    count = 0

    @seed(1)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        nonlocal count
        count += 1
        if count % 2:
            known = {name: ids[name] for name in case.path_parameters or {} if name in ids}
            case.path_parameters.update(known)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        keep_cached(world)
        with transaction.atomic():
            answer = case.call(headers=headers)
            transaction.set_rollback(True)
        case.validate_response(answer, checks=CHECKS)

    try:
        ask()
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - one run shows all of them
        found = error.exceptions if isinstance(error, BaseExceptionGroup) else [error]
        name = f"{operation.definition.raw['operationId']} as {role}"
        return {name: "\n".join(str(item)[:600] for item in found)}
    return {}
