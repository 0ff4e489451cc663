"""ChatRequest as the body of POST /chat/completions.

It is what a provider of that wire gets where the chat says nothing beyond it, and what every chat's caps, budgets
and limits are read from.
"""

from typing import Any

import msgspec

from core.rpc.chat_message import wire_messages
from core.rpc.message_check import marked
from core.rpc.request_body import MAX_TOKENS, TEMPERATURE, Body, Ranges, read_object, wrong
from llmrouter.v1 import router_pb2 as pb

_PATH = "chat"
_NUMBERS: Ranges = {
    "temperature": TEMPERATURE,
    "top_p": (0, 1),
    "max_tokens": (1, MAX_TOKENS),
    "max_completion_tokens": (1, MAX_TOKENS),
    "n": (1, 128),
    "seed": (-(2**63), 2**63 - 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
    "top_logprobs": (0, 100),
    "top_k": (0, MAX_TOKENS),
}
_SWITCHES = ("parallel_tool_calls", "logprobs")
_TEXTS = ("stop", "reasoning_effort", "user", "service_tier", "verbosity", "prompt_cache_key")
_MOST_BIAS = 100
SCHEMA_NAME = "answer"
"""Where a caller gives none, for OpenAI asks for one."""
_MODES = ("none", "auto", "required")


def chat_body(request: pb.ChatRequest, *, stream: bool) -> bytes:
    """The body of a chat completion. Raises InvalidArgument, ModelRequired."""
    body = Body(request, _PATH, request.extra_json)
    body.model()
    if request.messages:
        body.fields["messages"] = wire_messages(request.messages, f"{_PATH}.messages")
    elif not body.has_extra("messages"):
        raise body.wrong("messages", "must hold at least one message")
    body.numbers(_NUMBERS)
    body.switches(_SWITCHES)
    body.texts(_TEXTS)
    if request.metadata:
        body.fields["metadata"] = dict(request.metadata)
    if request.tools:
        tools = enumerate(request.tools)
        body.fields["tools"] = [_tool(tool, f"{_PATH}.tools[{index}]") for index, tool in tools]
    if request.HasField("tool_choice"):
        body.fields["tool_choice"] = _tool_choice(request.tool_choice, f"{_PATH}.tool_choice")
    if request.HasField("reasoning"):
        body.fields.update(_reasoning(request))
    if request.logit_bias:
        body.fields["logit_bias"] = logit_bias(request)
    if request.HasField("response_format"):
        body.fields["response_format"] = _response_format(request.response_format, f"{_PATH}.response_format")
    return body.encode(stream=stream)


def _tool(tool: pb.Tool, path: str) -> dict[str, Any]:
    if not tool.name:
        raise wrong(f"{path}.name", "must be set")
    function: dict[str, Any] = {"name": tool.name}
    if tool.description:
        function["description"] = tool.description
    if tool.parameters_json:
        function["parameters"] = _object(tool.parameters_json, f"{path}.parameters_json")
    if tool.HasField("strict"):
        function["strict"] = tool.strict
    return {"type": "function", "function": function, **marked(tool, path)}


def logit_bias(request: pb.ChatRequest) -> dict[str, float]:
    """Whole numbers as such, which is how OpenAI has them. Raises InvalidArgument."""
    for token, bias in request.logit_bias.items():
        if not -_MOST_BIAS <= bias <= _MOST_BIAS:
            raise wrong(f"{_PATH}.logit_bias[{token}]", f"must be from {-_MOST_BIAS} to {_MOST_BIAS}")
    return {token: int(bias) if bias.is_integer() else bias for token, bias in request.logit_bias.items()}


def _reasoning(request: pb.ChatRequest) -> dict[str, Any]:
    asked = request.reasoning
    fields: dict[str, Any] = {}
    if asked.HasField("budget_tokens"):
        if request.reasoning_effort:
            raise wrong(f"{_PATH}.reasoning.budget_tokens", "and reasoning_effort must not both be set")
        if not -1 <= asked.budget_tokens <= MAX_TOKENS:
            raise wrong(f"{_PATH}.reasoning.budget_tokens", f"must be from -1 to {MAX_TOKENS}")
        fields["max_tokens"] = asked.budget_tokens
    if asked.HasField("shown"):
        fields["exclude"] = not asked.shown
    return {"reasoning": fields} if fields else {}


def _tool_choice(choice: pb.ToolChoice, path: str) -> str | dict[str, Any]:
    if choice.function:
        return {"type": "function", "function": {"name": choice.function}}
    if choice.mode not in _MODES:
        raise wrong(path, f"must be a function's name, or a mode: one of {', '.join(_MODES)}")
    return choice.mode


def _response_format(form: pb.ResponseFormat, path: str) -> dict[str, Any]:
    if not form.type:
        raise wrong(f"{path}.type", "must be set")
    if form.json_schema and form.schema_json:
        raise wrong(f"{path}.schema_json", "must not be set beside json_schema")
    if form.type == "json_schema" and not (form.json_schema or form.schema_json):
        raise wrong(f"{path}.json_schema", "or schema_json must be set")
    if form.json_schema:
        return {"type": form.type, "json_schema": _object(form.json_schema, f"{path}.json_schema")}
    if not form.schema_json:
        return {"type": form.type}
    schema: dict[str, Any] = {"name": form.name or SCHEMA_NAME}
    if form.description:
        schema["description"] = form.description
    schema["schema"] = _object(form.schema_json, f"{path}.schema_json")
    if form.HasField("strict"):
        schema["strict"] = form.strict
    return {"type": form.type, "json_schema": schema}


def _object(text: str, path: str) -> msgspec.Raw:
    """A JSON object to the letter. Raises InvalidArgument where it is none."""
    read_object(text, path)
    return msgspec.Raw(text.encode())
