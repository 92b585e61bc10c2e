"""The API as ``docs/openapi.json`` describes it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonschema

from tests.commands import DOCUMENTS

DESCRIPTION: Mapping[str, Any] = json.loads((DOCUMENTS / "docs" / "openapi.json").read_text())


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield method, path and description of all that can be asked for."""
    for path, methods in DESCRIPTION["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def operation(method: str, path: str) -> Mapping[str, Any]:
    """Return what is described for *method* at *path*, in which names stand in braces."""
    return cast(Mapping[str, Any], DESCRIPTION["paths"][path][method.lower()])


def schema(name: str) -> Mapping[str, Any]:
    """Return the schema *name*, by which a value can be judged."""
    return {"$ref": f"#/components/schemas/{name}", "components": DESCRIPTION["components"]}


def check_answer(method: str, path: str, status: int, kind: str, body: str) -> None:
    """Fail unless that is an answer as it is described."""
    responses = operation(method, path)["responses"]
    if str(status) not in responses:
        assert status >= 400, f"{method} {path} answers {status}"
        assert kind == "application/problem+json"
        jsonschema.validate(json.loads(body), schema("Problem"), jsonschema.Draft202012Validator)
        return
    content = responses[str(status)].get("content")
    if content is None:
        assert (kind, body) == ("", "")
        return
    assert kind == "application/json"
    found = {**content["application/json"]["schema"], "components": DESCRIPTION["components"]}
    jsonschema.validate(json.loads(body), found, jsonschema.Draft202012Validator)
