"""The form of the answer, of models that can be held to one: outputConfig.textFormat.

Objects in a schema must say there that they have no other properties; where one says nothing, that is added.
"""

from typing import cast

import msgspec

from core.dialects.bedrock.converse import Json
from core.dialects.bedrock.families import Family, Forms
from core.dialects.canonical import Format
from core.dialects.losses import Losses
from core.errors import InvalidArgument

_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def text_format(form: Format | None, family: Family, losses: Losses) -> Json | None:
    """What textFormat says; None where there is no form, or a tool stands for it. Raises InvalidArgument."""
    if form is None or form.kind == "text":
        return None
    if form.kind == "json":
        if not family.claude and family.forms is not Forms.TOOL:
            losses.lose("format", "the provider knows JSON by a schema alone")
        return None
    if family.forms is Forms.NOT:
        losses.lose("format", "this model can't be held to a form")
    if family.forms is not Forms.OUTPUT:
        return None
    definition: Json = {"schema": _closed(form).decode()}
    if form.name:
        definition["name"] = form.name
    if form.description:
        definition["description"] = form.description
    return {"type": "json_schema", "structure": {"jsonSchema": definition}}


def _closed(form: Format) -> bytes:
    """The schema as JSON, its objects closed."""
    raw = bytes(form.schema) or b'{"type":"object"}'
    try:
        schema: object = _decode_any(raw)
        return _encode(schema) if _close(schema) else raw
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidArgument("the schema of the answer is not valid JSON", field="format") from None


def _close(node: object) -> bool:
    """Closes the objects in a schema; returns whether there was one to close."""
    changed = False
    if isinstance(node, list):
        for item in cast("list[object]", node):
            changed |= _close(item)
    elif isinstance(node, dict):
        fields = cast("dict[str, object]", node)
        for value in fields.values():
            changed |= _close(value)
        if fields.get("type") == "object" and "additionalProperties" not in fields:
            fields["additionalProperties"] = False
            changed = True
    return changed
