"""docs/openapi.json says what the code serves: the same routes, names, bodies and queries, no more and no less."""

import json
import re
from typing import Any

import jsonschema
import msgspec
import pytest
from msgspec import structs

from mailsuite.admin.api.application import ROUTES
from mailsuite.admin.api.route import Nothing, Route, decoded
from tests.admin.described import DESCRIPTION, operation, operations, schema


def described(path: str) -> str:
    """Return *path* as OpenAPI writes it."""
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)


def test_the_routes() -> None:
    """Every route is described, and every description has a route."""
    assert sorted((route.method, described(route.path)) for route in ROUTES) == sorted(
        (method, path) for method, path, _ in operations()
    )


def test_it_is_a_sound_document() -> None:
    """Each schema is one, each reference leads somewhere, nothing is described that is not used."""
    for each in DESCRIPTION["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(each)
    used = set(re.findall(r"'#/components/schemas/(\w+)'", str(DESCRIPTION)))
    assert used == set(DESCRIPTION["components"]["schemas"])


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_what_a_route_takes(route: Route) -> None:
    """Names in its path, its query, and the keys of its body, with those that have to be there."""
    found = operation(route.method, described(route.path))
    named: dict[str, Any] = {each["name"]: each for each in found.get("parameters", ())}
    assert {name for name, each in named.items() if each["in"] == "path"} == set(re.findall(r"(\w+)>", route.path))
    assert {name for name, each in named.items() if each["in"] == "query"} == set(keys(route.query))
    if route.body is Nothing:
        assert "requestBody" not in found
        return
    name = found["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    body = DESCRIPTION["components"]["schemas"][name]
    assert body["additionalProperties"] is False
    assert list(body["properties"]) == list(keys(route.body))
    assert body["required"] == [key for key, required in keys(route.body).items() if required]


BODIES = {route.body.__name__: route.body for route in ROUTES if route.body is not Nothing}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_types_of_bodies(body: type[msgspec.Struct]) -> None:
    """A value of each JSON type is taken for a key by the code where the description takes it."""
    required = {
        "name": "a.example", "address": "a@a.example", "label": "x", "targets": ["b@a.example"], "subject": "",
        "until": 1, "login": "b@a.example", "password": "x", "most": 1,
    }  # fmt: skip
    needed = {key: required[key] for key, must in keys(body).items() if must}
    values: list[Any] = [
        "a@example.org", "local", "own", "held", 7, True, None, [], ["smtp"], {}, {"octets": 1}, -1, 7.0, 7.5,
        {"octets": 1.0},
    ]  # fmt: skip
    for key in keys(body):
        for value in values:
            said = {**needed, key: value}
            validator = jsonschema.Draft202012Validator(schema(body.__name__))
            assert validator.is_valid(said) == is_taken(body, said), said


def is_taken(body: type[msgspec.Struct], said: object) -> bool:
    """Say whether the code takes *said* for a *body*."""
    try:
        decoded(body, json.dumps(said).encode())
    except msgspec.ValidationError:
        return False
    return True


def keys(kind: type[msgspec.Struct]) -> dict[str, bool]:
    """Return the keys of *kind*, and whether each has to be there."""
    return {each.encode_name: each.required for each in structs.fields(kind)}
