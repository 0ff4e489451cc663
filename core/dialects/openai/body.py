"""The body of a chat completion's request as its wire has it, and how it is decoded.

Documented at https://platform.openai.com/docs/api-reference/chat/create; what is not OpenAI's own is from
https://openrouter.ai/docs/api-reference/overview and https://ai.google.dev/gemini-api/docs/thought-signatures.
What clients get wrong without harm is let pass: null for absent, 100.0 for 100, parts without their type.
"""

import re
from typing import Any, Final, TypeVar

import msgspec

from core.dialects.canonical import NO_JSON, CacheMark
from core.dialects.request import NOT_UTF8
from core.errors import InvalidArgument

_T = TypeVar("_T")

Number = int | float | None


class CacheControl(msgspec.Struct):
    type: str = "ephemeral"
    ttl: str | None = None

    def mark(self) -> CacheMark:
        """OpenAI's own lifetimes, 30m and 12h, are longer than 5 minutes and as long as an hour at least."""
        return CacheMark({"30m": "1h", "12h": "1h"}.get(self.ttl or "", self.ttl or ""))


class ImageUrl(msgspec.Struct):
    url: str
    detail: str | None = None


class InputAudio(msgspec.Struct):
    data: str
    format: str


class File(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class Part(msgspec.Struct):
    type: str = "text"
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: InputAudio | None = None
    file: File | None = None
    cache_control: CacheControl | None = None
    prompt_cache_breakpoint: CacheControl | None = None


class Call(msgspec.Struct):
    """The function that a message calls."""

    name: str
    arguments: str = ""


class GoogleContent(msgspec.Struct):
    thought_signature: str | None = None


class ExtraContent(msgspec.Struct):
    google: GoogleContent | None = None


class ToolCall(msgspec.Struct):
    id: str | None = None
    type: str | None = "function"
    function: Call | None = None
    extra_content: ExtraContent | None = None


class Message(msgspec.Struct):
    role: str
    content: str | list[Part] | None = None
    name: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: Call | None = None
    audio: Any = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: msgspec.Raw = NO_JSON


class Function(msgspec.Struct):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = NO_JSON
    strict: bool | None = None
    cache_control: CacheControl | None = None


class Tool(msgspec.Struct):
    type: str = "function"
    function: Function | None = None
    cache_control: CacheControl | None = None


class Named(msgspec.Struct):
    name: str


class NamedChoice(msgspec.Struct):
    type: str = "function"
    function: Named | None = None


class JsonSchema(msgspec.Struct):
    name: str = ""
    description: str | None = None
    schema: msgspec.Raw = NO_JSON
    strict: bool | None = None


class ResponseFormat(msgspec.Struct):
    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class Reasoning(msgspec.Struct):
    effort: str | None = None
    max_tokens: Number = None
    summary: str | None = None  # as in Responses: whether the thoughts are told, whose length is the provider's choice
    exclude: bool | None = None
    enabled: bool | None = None


class Thinking(msgspec.Struct):
    type: str = "enabled"
    budget_tokens: Number = None


class Settings(msgspec.Struct):
    """What a chat completion and a text completion have in common."""

    max_tokens: Number = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Number = None
    stop: str | list[str] | None = None
    seed: Number = None
    n: Number = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: msgspec.Raw = NO_JSON
    user: str | None = None
    stream_options: StreamOptions | None = None


class Body(Settings):
    """A chat completion's."""

    messages: list[Message] = []
    tools: list[Tool] | None = None
    tool_choice: str | NamedChoice | None = None
    functions: list[Function] | None = None
    function_call: str | Named | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning: Reasoning | None = None
    reasoning_effort: str | None = None
    include_reasoning: bool | None = None
    thinking: Thinking | None = None
    thinking_budget: Number = None
    max_completion_tokens: Number = None
    logprobs: bool | None = None
    top_logprobs: Number = None
    verbosity: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    metadata: dict[str, str] | None = None
    service_tier: str | None = None


_PLACE = re.compile(r" - at `\$\.?(.*)`$")
_MOST: Final = 2**53


def decoded(decoder: "msgspec.json.Decoder[_T]", body: bytes) -> _T:
    """A body as its wire describes it. Raises InvalidArgument with the field that is not so."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        field = place[1].replace("[...]", "") if place is not None else ""
        what = str(error)[: place.start()] if place is not None else str(error)
        what = what[:1].lower() + what[1:].replace("`", "")
        raise InvalidArgument(f"{field}: {what}" if field else f"invalid payload: {what}", field=field) from None
    except UnicodeDecodeError:
        raise InvalidArgument(NOT_UTF8) from None
    except RecursionError:
        raise InvalidArgument("invalid payload: the body is nested too deeply") from None
    except msgspec.DecodeError:
        raise InvalidArgument("invalid payload: the body is not valid JSON") from None


def whole(number: Number, field: str) -> int | None:
    """A field that counts something. Raises InvalidArgument for half of it."""
    if isinstance(number, float):
        if not number.is_integer() or abs(number) > _MOST:
            raise InvalidArgument(f"{field} must be a whole number", field=field)
        return int(number)
    return number


def given(raw: msgspec.Raw | None) -> msgspec.Raw:
    """Raw JSON, none for null."""
    return NO_JSON if raw is None or bytes(raw) == b"null" else raw
