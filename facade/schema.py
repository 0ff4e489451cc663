"""Short ways to write the JSON Schemas of the descriptions."""

from typing import Any

from facade.surface import Schema

STRING: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer", "format": "int64"}
NUMBER: Schema = {"type": "number"}
BOOLEAN: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": "string", "format": "date-time"}
ID: Schema = {"type": "integer", "format": "int64", "minimum": 1}
# A JSON object of which nothing is said here, because another document does.
ANY_OBJECT: Schema = {"type": "object"}


def text(least: int = 0, most: int | None = None) -> Schema:
    """A string of so many characters."""
    schema: dict[str, Any] = {"type": "string"}
    if least:
        schema["minLength"] = least
    if most is not None:
        schema["maxLength"] = most
    return schema


def choice(*values: str) -> Schema:
    """One of some strings."""
    return {"type": "string", "enum": list(values)}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def or_null(schema: Schema) -> Schema:
    """The same, or null."""
    types = schema["type"]
    nullable: dict[str, Any] = {**schema, "type": [types, "null"]}
    if "enum" in schema:
        nullable["enum"] = [*schema["enum"], None]
    return nullable


def obj(optional: dict[str, Schema] | None = None, **required: Schema) -> Schema:
    """An object; the optional fields may also be null."""
    schema: dict[str, Any] = {"type": "object"}
    if required:
        schema["required"] = list(required)
    properties = {**required, **{name: or_null(each) for name, each in (optional or {}).items()}}
    if properties:
        schema["properties"] = properties
    return schema
