"""The plain fields of a request of the Responses wire: how the answer shall be made, and of what form."""

import msgspec

from core.dialects.canonical import NO_JSON, Effort, Format
from core.errors import InvalidArgument


class _TextFormat(msgspec.Struct):
    type: str | None = None
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = NO_JSON
    strict: bool | None = None


class _Text(msgspec.Struct):
    format: _TextFormat | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct):
    effort: Effort | None = None
    summary: str | None = None
    generate_summary: str | None = None  # as it was called before
    max_tokens: int | None = None  # OpenRouter's
    others: dict[str, msgspec.Raw] | None = None  # put there below


class Wishes(msgspec.Struct):
    """Those fields by their names."""

    max_output_tokens: float | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    reasoning: _Reasoning | None = None
    text: _Text | None = None
    user: str | None = None
    safety_identifier: str | None = None
    metadata: dict[str, str] | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None

    def max_output(self) -> int | None:
        """Raises InvalidArgument where it is no number of tokens."""
        number = self.max_output_tokens
        if number is None:
            return None
        if number < 1 or number != int(number):
            raise InvalidArgument("max_output_tokens: a whole number, 1 or more", field="max_output_tokens")
        return int(number)


_READ = {name: msgspec.json.Decoder(kind) for name, kind in Wishes.__annotations__.items()}
_REASONING = frozenset(_Reasoning.__struct_fields__) - {"others"}
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def read_wishes(fields: dict[str, msgspec.Raw]) -> Wishes:
    """Raises InvalidArgument, with the field."""
    wishes = Wishes()
    for name, decoder in _READ.items():
        raw = fields.get(name)
        if raw is None:
            continue
        try:
            setattr(wishes, name, decoder.decode(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            place = str(error).rpartition("`$")[2].rstrip("`") if "`$" in str(error) else ""
            raise InvalidArgument(f"{name}: {error}", field=name + place) from None
    if wishes.reasoning is not None:
        found = _decode_object(fields["reasoning"])
        wishes.reasoning.others = {
            name: raw for name, raw in found.items() if name not in _REASONING and bytes(raw) != b"null"
        }
    return wishes


def format_of(wishes: Wishes) -> Format | None:
    """The form that the answer must have. Raises InvalidArgument."""
    told = wishes.text.format if wishes.text is not None else None
    if told is None:
        return None
    match told.type:
        case "text" | None:
            return Format("text")
        case "json_object":
            return Format("json")
        case "json_schema":
            if not told.schema:
                raise InvalidArgument("text.format.schema is missing", field="text.format.schema")
            return Format("schema", told.name or "", told.description or "", told.schema, told.strict)
        case _:
            raise InvalidArgument("text.format.type: text, json_object or json_schema", field="text.format.type")
