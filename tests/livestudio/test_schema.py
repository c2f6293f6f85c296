"""The OpenAPI schema: valid, complete, and good to generate clients from."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.utils import translation
from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator
from openapi_spec_validator import OpenAPIV30SpecValidator

from livestudio.common.errors import codes_by_status, error_codes
from livestudio.urls import api_patterns
from tests.test_permission_matrix import methods_of, routes

NOT_JSON = ("/bundle/", "/csv/", "/calendar.ics", "/file/", "/preview/", "/thumbnail/", "/whep/")


@pytest.fixture(scope="module")
def schema() -> Any:
    with translation.override("en"):
        return SchemaGenerator().get_schema(request=None, public=True)


@pytest.fixture(scope="module")
def operations(schema: Any) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, operation)
        for path, found in schema["paths"].items()
        for method, operation in found.items()
    ]


def test_schema_is_valid_and_made_without_a_warning() -> None:
    GENERATOR_STATS.reset()
    with translation.override("en"):
        schema = SchemaGenerator().get_schema(request=None, public=True)

    assert not GENERATOR_STATS, "see `manage.py spectacular --fail-on-warn`"
    OpenAPIV30SpecValidator(schema).validate()


def test_schema_does_not_speak_the_language_of_who_exports_it(schema: Any) -> None:
    assert not re.search(r"[一-鿿]", str(schema["paths"]))


def test_every_route_and_method_is_in_the_schema(
    operations: list[tuple[str, str, dict[str, Any]]],
) -> None:
    expected = sum(
        len(methods_of(item))
        for item in routes(api_patterns)
        if item.name not in ("schema", "docs")
    )

    assert len(operations) == expected


def test_names_of_operations_are_words_and_differ(
    operations: list[tuple[str, str, dict[str, Any]]],
) -> None:
    names = [operation["operationId"] for _, _, operation in operations]

    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", name) for name in names)
    assert all(operation["tags"] and operation["description"] for _, _, operation in operations)


def test_every_operation_tells_how_it_refuses(
    schema: Any, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    for path, method, operation in operations:
        answers = operation["responses"]
        assert {"400", "401", "403", "429", "500", "503"} <= set(answers), (path, method)
        assert "default" not in answers
        assert ("404" in answers) or "{" not in path
        assert method != "post" or {"409", "422"} <= set(answers)
    refused = schema["components"]["responses"]
    assert "Retry-After" in refused["Refused429"]["headers"]
    assert "Retry-After" in refused["Refused503"]["headers"]


def test_headers_that_are_honoured_are_told(
    operations: list[tuple[str, str, dict[str, Any]]],
) -> None:
    for path, method, operation in operations:
        names = {item["name"] for item in operation.get("parameters", ())}
        is_signed_in = {} not in operation["security"]
        assert ("Idempotency-Key" in names) == (method == "post" and is_signed_in), path
        if method == "get" and not path.endswith(NOT_JSON):
            assert "If-None-Match" in names, path
            assert "ETag" in operation["responses"]["200"]["headers"], path
    of_lists = next(
        item for path, method, item in operations if item["operationId"] == "list_shows"
    )
    assert "X-Organization" in {item["name"] for item in of_lists["parameters"]}


def test_a_delete_tells_the_body_that_it_wants(
    schema: Any, operations: list[tuple[str, str, dict[str, Any]]]
) -> None:
    with_body = {
        operation["operationId"]: operation["requestBody"]
        for _, method, operation in operations
        if method == "delete" and "requestBody" in operation
    }

    (reference,) = with_body.pop("delete_organization")["content"]["application/json"].values()
    body = schema["components"]["schemas"][reference["$ref"].rpartition("/")[2]]
    assert set(body["required"]) == {"password", "name"}
    assert with_body == {}


def test_sign_in_is_told(schema: Any) -> None:
    schemes = schema["components"]["securitySchemes"]

    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["deviceId"]["name"] == "X-Device-Id"
    assert schemes["apiKey"]["name"] == "Authorization"
    assert schema["paths"]["/api/v1/shows/"]["get"]["security"] == [
        {"bearer": [], "deviceId": []},
        {"bearer": []},
        {"apiKey": []},
    ]


def test_codes_of_the_error_form_are_the_exported_list(schema: Any) -> None:
    error = schema["components"]["schemas"]["Error"]["properties"]["error"]["properties"]

    assert error["code"]["enum"] == list(error_codes())
    assert {code for codes in codes_by_status().values() for code in codes} == set(error_codes())
