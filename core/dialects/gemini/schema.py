"""Schemas in Gemini's own form, which is OpenAPI's, as the JSON schemas that everybody else has.

    {"type": "STRING", "nullable": true, "maxLength": "9"} ─► {"type": ["string", "null"], "maxLength": 9}

Source: https://ai.google.dev/api/caching#Schema
"""

from typing import Any, Final, cast

import msgspec

_NAMES: Final = {
    "any_of": "anyOf",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "prefix_items": "prefixItems",
    "additional_properties": "additionalProperties",
    "property_ordering": "propertyOrdering",
}
_WHOLE: Final = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
_ONE: Final = frozenset({"items", "additionalProperties"})
_MANY: Final = frozenset({"anyOf", "prefixItems"})

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def json_schema(raw: msgspec.Raw) -> msgspec.Raw:
    """The same as a JSON schema. The order of properties, which only Gemini knows, is left out as a hint.

    Raises msgspec.DecodeError, RecursionError for what can't be read.
    """
    return msgspec.Raw(_encode(_converted(_decode(raw))))


def _converted(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for written, value in cast("dict[str, Any]", schema).items():
        name = _NAMES.get(written, written)
        if name in ("nullable", "propertyOrdering") or value is None:
            continue
        if name == "type" and isinstance(value, str):
            if value != "TYPE_UNSPECIFIED":
                found["type"] = value.lower()
        elif name in _WHOLE and isinstance(value, str) and value.isdigit():
            found[name] = int(value)
        elif name in _ONE:
            found[name] = _converted(value)
        elif name in _MANY and isinstance(value, list):
            found[name] = [_converted(each) for each in cast("list[Any]", value)]
        elif name == "properties" and isinstance(value, dict):
            found[name] = {key: _converted(each) for key, each in cast("dict[str, Any]", value).items()}
        elif name == "example":
            found["examples"] = [value]
        else:
            found[name] = value
    return _nullable(found) if cast("dict[str, Any]", schema).get("nullable") is True else found


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
    elif "anyOf" in schema:
        schema["anyOf"] = [*schema["anyOf"], {"type": "null"}]
    return schema
