"""The JSON Schemas of TOML files are those that the code reads them by."""

import json
import tomllib
from typing import Any

import pytest

from apps.build.toml_schemas import schemas
from stormwatch.parsing.mapping import presets, text_of
from tests.documents import ROOT

MADE = schemas()


@pytest.mark.parametrize("name", MADE)
def test_what_is_committed_is_current(name: str) -> None:
    path = ROOT / "schema" / name
    assert path.exists() and path.read_text() == MADE[name], "run: ./stormwatch schema json"


def test_no_other_schema_is_committed() -> None:
    assert {path.name for path in (ROOT / "schema").glob("*.schema.json")} == set(MADE)


def table_of(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """The table that a part of the schema allows."""
    for one in (part, *part.get("anyOf", ())):
        if "$ref" in one:
            one = schema["$defs"][one["$ref"].rpartition("/")[2]]  # noqa: PLW2901
        if one.get("type") == "object":
            return one
    raise AssertionError(f"no table: {part}")


def unknown(schema: dict[str, Any], part: dict[str, Any], value: dict[str, Any]) -> list[str]:
    """The keys that the schema does not have."""
    table = table_of(schema, part)
    found = []
    for key, one in value.items():
        if (inner := table.get("properties", {}).get(key, table.get("additionalProperties"))) and (
            isinstance(inner, dict)
        ):
            found += unknown(schema, inner, one) if isinstance(one, dict) else []
        else:
            found.append(key)
    return found


@pytest.mark.parametrize("preset", presets())
def test_a_preset_has_no_key_that_its_schema_does_not_know(preset: str) -> None:
    schema = json.loads(MADE["mapping.schema.json"])
    document = tomllib.loads(text_of(f"preset:{preset}"))
    assert unknown(schema, schema, document) == []
    wrong = {"evnt": 1, "fields": {"id": {"pth": "x"}}}
    assert unknown(schema, schema, wrong) == ["evnt", "pth"]


def test_settings_are_described_with_choices_and_limits() -> None:
    schema = json.loads(MADE["stormwatch.schema.json"])
    kafka = schema["properties"]["kafka"]["properties"]
    assert kafka["partitions"]["type"] == "integer" and kafka["partitions"]["minimum"] == 1
    assert "confluent" in kafka["client"]["enum"] and kafka["client"]["description"]


def test_keys_are_described_by_the_words_beside_them() -> None:
    field = json.loads(MADE["mapping.schema.json"])["$defs"]["Field"]["properties"]
    assert field["twice"]["description"].startswith("A local time that happens twice")
    assert field["default"]["description"] == "where no path is present"
