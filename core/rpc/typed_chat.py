"""ChatRequest in the form between all wires, for providers that speak another wire than OpenAI's.

    a provider of OpenAI's wire, a chat of OpenAI's words ─► chat_request.py   as JSON, and the answer too
    all others                                            ─► typed_chat        and the answer comes in objects

No JSON is between a typed caller and such a provider, so nothing is lost that OpenAI's wire can't say.
"""

from typing import Final, TypeVar, cast, get_args

import msgspec

from core.dialects.canonical import NO_JSON, CacheMark, Chat, Effort, Format, Reasoning, Tool, ToolChoice
from core.dialects.openai.body import JsonSchema, given
from core.routing.typed import TypedChat
from core.rpc.beyond_openai import goes_beyond
from core.rpc.chat_request import logit_bias
from core.rpc.extra_fields import put_over
from core.rpc.request_body import wrong
from core.rpc.typed_message import MessageReader
from core.rpc.typed_paths import Paths
from llmrouter.v1 import router_pb2 as pb

_T = TypeVar("_T")

_EFFORTS: Final = get_args(Effort)
_encode = msgspec.json.Encoder().encode
_schema = msgspec.json.Decoder(JsonSchema)


def typed_chat(request: pb.ChatRequest, *, stream: bool) -> TypedChat:
    """The chat for the pipeline. request: one of which `chat_body` could make a body."""
    return TypedChat(
        lambda: read_chat(request, stream=stream),
        beyond=goes_beyond(request),
        drop=request.drop_unsupported,
        hidden=request.reasoning.HasField("shown") and not request.reasoning.shown,
    )


def read_chat(request: pb.ChatRequest, *, stream: bool) -> tuple[Chat, Paths]:
    """The chat, and where its fields stand in the request. Raises InvalidArgument."""
    reader = MessageReader()
    chat = Chat(model=request.model, messages=reader.read(request.messages, "chat.messages"), stream=stream)
    chat.tools = [_tool(tool) for tool in request.tools]
    chat.tool_choice = _choice(request)
    chat.reasoning = _reasoning(request)
    chat.max_output = _optional(request, "max_completion_tokens", request.max_completion_tokens)
    if chat.max_output is None:
        chat.max_output = _optional(request, "max_tokens", request.max_tokens)
    chat.parallel_tool_calls = _optional(request, "parallel_tool_calls", request.parallel_tool_calls)
    chat.temperature = _optional(request, "temperature", request.temperature)
    chat.top_p = _optional(request, "top_p", request.top_p)
    chat.top_k = _optional(request, "top_k", request.top_k)
    chat.seed = _optional(request, "seed", request.seed)
    # What follows says nothing where it is OpenAI's default.
    chat.n = request.n if request.n > 1 else None
    chat.presence_penalty = request.presence_penalty or None
    chat.frequency_penalty = request.frequency_penalty or None
    chat.logprobs = request.logprobs or None
    chat.top_logprobs = _optional(request, "top_logprobs", request.top_logprobs) if request.logprobs else None
    chat.logit_bias = msgspec.Raw(_encode(logit_bias(request))) if request.logit_bias else NO_JSON
    chat.service_tier = request.service_tier if request.service_tier != "auto" else ""
    chat.stop = [text for text in request.stop if text]
    chat.verbosity, chat.user, chat.cache_key = request.verbosity, request.user, request.prompt_cache_key
    chat.metadata = dict(request.metadata)
    _take_format(chat, request.response_format)
    extra = put_over(chat, request.extra_json) if request.extra_json else frozenset[str]()
    return chat, Paths(request, [] if "messages" in extra else reader.places, extra)


def _optional(request: pb.ChatRequest, name: str, value: _T) -> _T | None:
    return value if request.HasField(name) else None


def _tool(tool: pb.Tool) -> Tool:
    return Tool(
        name=tool.name,
        description=tool.description,
        parameters=msgspec.Raw(tool.parameters_json.encode()) if tool.parameters_json else NO_JSON,
        strict=tool.strict if tool.HasField("strict") else None,
        cache=CacheMark(tool.cache.ttl) if tool.HasField("cache") else None,
    )


def _choice(request: pb.ChatRequest) -> ToolChoice | None:
    if not request.HasField("tool_choice"):
        return None
    if request.tool_choice.function:
        return ToolChoice("tool", request.tool_choice.function)
    mode = request.tool_choice.mode
    return ToolChoice("auto" if mode == "auto" else "none" if mode == "none" else "required")


def _reasoning(request: pb.ChatRequest) -> Reasoning | None:
    asked, effort = request.reasoning, request.reasoning_effort
    if effort and effort not in _EFFORTS:
        raise wrong("chat.reasoning_effort", f"must be one of {', '.join(_EFFORTS)}")
    found = Reasoning(
        effort=cast("Effort", effort) if effort else None,
        budget=asked.budget_tokens if asked.HasField("budget_tokens") else None,
        shown=asked.shown if asked.HasField("shown") else None,
    )
    return found if found != Reasoning() else None


def _take_format(chat: Chat, asked: pb.ResponseFormat) -> None:
    """The form of the answer; plain text is what every answer is."""
    match asked.type:
        case "" | "text":
            return
        case "json_object":
            chat.format = Format(kind="json")
        case "json_schema" if asked.schema_json:
            strict = asked.strict if asked.HasField("strict") else None
            schema = msgspec.Raw(asked.schema_json.encode())
            chat.format = Format("schema", asked.name, asked.description, schema, strict)
        case "json_schema":
            found = _json_schema(asked.json_schema)
            chat.format = Format("schema", found.name, found.description or "", given(found.schema), found.strict)
        case other:
            chat.others["response_format"] = msgspec.Raw(_encode({"type": other}))


def _json_schema(text: str) -> JsonSchema:
    try:
        return _schema.decode(text)
    except msgspec.DecodeError as error:
        raise wrong("chat.response_format.json_schema", f"is not as it should be: {error}") from None
