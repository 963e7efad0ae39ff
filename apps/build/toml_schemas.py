"""JSON Schemas of the TOML files that people write, for editors to complete and check them. Pure.

Made of the structs that read the files, and of the table of settings: so they cannot say otherwise.
"""

import ast
import inspect
import textwrap
from dataclasses import fields
from typing import Any

import msgspec

from stormwatch.domains.maintenance.equipment import Equipment
from stormwatch.parsing.mapping import Mapping
from stormwatch.rules.document import File
from stormwatch.settings import Settings

_DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {str: "string", int: "integer", float: "number", bool: "boolean"}


def schemas() -> dict[str, str]:
    """File name -> its text."""
    made = {
        "mapping": of_struct(Mapping),
        "equipment": of_struct(Equipment),
        "rules": of_struct(File),
        "stormwatch": of_settings(),
    }
    return {
        f"{name}.schema.json": msgspec.json.format(msgspec.json.encode(one), indent=1).decode()
        + "\n"
        for name, one in made.items()
    }


def of_struct(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The schema of a document that is read as this struct."""
    schema, parts = msgspec.json.schema_components([kind], ref_template="#/$defs/{name}")
    structs = _structs(kind)
    for name, part in parts.items():
        part["description"] = " ".join(part["description"].split())
        for field, words in _words(structs[name]).items() if name in structs else ():
            part["properties"][field]["description"] = words
    return {"$schema": _DRAFT, **schema[0], "$defs": parts}


def of_settings() -> dict[str, Any]:
    """The schema of stormwatch.toml. Secrets may stand there, though the environment is better."""
    root = _table()
    for each in fields(Settings):
        meta = each.metadata
        *tables, name = meta["key"].split(".")
        table = root
        for step in tables:
            table = table["properties"].setdefault(step, _table())
        assert isinstance(each.type, type)
        one: dict[str, Any] = {"type": _TYPES[each.type], "description": meta["help"]}
        one |= {"default": each.default} if each.default != "" else {}
        one |= {"enum": list(meta["choices"])} if meta["choices"] else {}
        one |= {"minimum": meta["low"]} if meta["low"] is not None else {}
        one |= {"maximum": meta["high"]} if meta["high"] is not None else {}
        if meta["many"]:
            one["type"] = ["string", "array"]
            one["items"] = {"type": "string"}
        table["properties"][name] = one
    return {"$schema": _DRAFT, **root}


def _table() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "additionalProperties": False}


def _structs(kind: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """Name -> struct, of those in the module of this one."""
    module = inspect.getmodule(kind)
    return {
        name: one
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, msgspec.Struct)
    }


def _words(kind: type[msgspec.Struct]) -> dict[str, str]:
    """Field -> what is said below it, or behind it on its line, in the source."""
    source = textwrap.dedent(inspect.getsource(kind))
    lines = source.splitlines()
    (body,) = ast.parse(source).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    name = ""
    for node in body.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
            _, _, behind = lines[(node.end_lineno or 1) - 1].partition("  # ")
            if behind and not behind.startswith("fmt:"):
                found[name] = behind
        elif name and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[name] = " ".join(str(node.value.value).split())
            name = ""
    return found
