"""Amazon Bedrock's Converse and ConverseStream.

What may be sent is the service's own model, as botocore has it: every field, type, enumeration and union of it.
Beyond it, from the documentation: roles by turns, a result for each use of a tool, and no blank texts.
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
"""

import base64
import json
from functools import cache
from typing import Any, Final, cast
from urllib.parse import unquote

from tests.support.bedrock_upstream import event, exception
from tests.support.openai_upstream import Received
from tests.support.wires import script
from tests.support.wires.fake import KEY, WireFake, need, need_none, with_next
from tests.support.wires.script import TOKENS, Asked, Reply

MODEL: Final = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
SIGNATURE: Final = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds="
USAGE: Final = {
    "inputTokens": TOKENS.input - TOKENS.cached,
    "outputTokens": TOKENS.output,
    "totalTokens": TOKENS.input + TOKENS.output,
    "cacheReadInputTokens": TOKENS.cached,
    "cacheWriteInputTokens": 0,
}
_STOPS: Final = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use"}
_ERRORS: Final = {400: 400, 401: 403, 429: 429, 503: 503}


class BedrockFake(WireFake):
    """Bedrock."""

    stream_type = "application/vnd.amazon.eventstream"

    def understood(self, request: Received) -> Asked:
        need(request.headers.get("authorization") == f"Bearer {KEY}", "no key, or a wrong one")
        _, kind, model, verb = request.path.split("/")
        need((kind, unquote(model)) == ("model", MODEL), f"there is nothing at {request.path}")
        need(verb in ("converse", "converse-stream"), f"there is nothing at {request.path}")
        body = request.json
        shape: Any = _service().operation_model("Converse").input_shape
        need_none(_faults({"modelId": unquote(model), **body}, shape, ""))
        need("messages" in body, "messages: is missing")
        messages: list[Any] = body["messages"]
        roles = [message["role"] for message in messages]
        need(roles == ["user", "assistant"] * (len(roles) // 2) + ["user"], "roles must alternate, from user to user")
        blocks = [block for message in messages for block in message["content"]]
        need(all(block["text"].strip() for block in blocks if "text" in block), "The text field is blank")
        _need_proofs(blocks)
        last: list[Any] = messages[-1]["content"]
        config: dict[str, Any] = body.get("toolConfig", {})
        form: dict[str, Any] = body.get("outputConfig", {}).get("textFormat", {})
        more: dict[str, dict[str, Any]] = body.get("additionalModelRequestFields", {})
        return Asked(
            text="".join(block.get("text", "") for block in last),
            streamed=verb == "converse-stream",
            tools=tuple(tool["toolSpec"]["name"] for tool in config.get("tools", ())),
            results=_results(messages),
            images=tuple(base64.b64decode(block["image"]["source"]["bytes"]) for block in last if "image" in block),
            schema=json.loads(form["structure"]["jsonSchema"]["schema"]) if form else None,
            thinks=more.get("thinking", {}).get("type") == "enabled",
            proven=any("reasoningContent" in block for block in blocks),
        )

    def answer(self, said: Reply, request: Received) -> Any:
        message = {"role": "assistant", "content": _content(said)}
        return {
            "output": {"message": message},
            "stopReason": _STOPS[said.stop],
            "usage": USAGE,
            "metrics": {"latencyMs": 7},
        }

    def events(self, said: Reply, request: Received) -> list[bytes]:
        made = [event("messageStart", role="assistant")]
        for index, block in enumerate(_content(said)):
            if use := block.get("toolUse"):
                begun = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
                made.append(event("contentBlockStart", start=begun, contentBlockIndex=index))
            for delta in _deltas(block, said):
                made.append(event("contentBlockDelta", delta=delta, contentBlockIndex=index))
                if said.breaks:
                    return [*made, exception("serviceUnavailableException", script.MESSAGE)]
            made.append(event("contentBlockStop", contentBlockIndex=index))
        made.append(event("messageStop", stopReason=_STOPS[said.stop]))
        return [*made, event("metadata", usage=USAGE, metrics={"latencyMs": 7})]

    def error(self, status: int, message: str) -> tuple[int, Any]:
        return _ERRORS[status], {"message": message or script.MESSAGE}


@cache
def _service() -> Any:
    from botocore.loaders import Loader  # here, for the many tests that don't need it
    from botocore.model import ServiceModel

    loader: Any = Loader()
    return ServiceModel(loader.load_service_model("bedrock-runtime", "service-2"))


def output_faults(answer: Any) -> list[str]:
    """What is wrong with a whole answer by the service's model."""
    return _faults(answer, _service().operation_model("Converse").output_shape, "")


def _faults(value: Any, shape: Any, path: str) -> list[str]:
    """What is wrong with a value by the service's model."""
    if getattr(shape, "is_document_type", False):
        return []
    match shape.type_name:
        case "structure":
            return _of_structure(value, shape, path)
        case "list":
            if not isinstance(value, list):
                return [f"{path}: must be a list"]
            items = cast("list[Any]", value)
            return [
                each for number, item in enumerate(items) for each in _faults(item, shape.member, f"{path}[{number}]")
            ]
        case "map":
            return [] if isinstance(value, dict) else [f"{path}: must be an object"]
        case "string":
            good = isinstance(value, str) and (not shape.enum or value in shape.enum)
            return [] if good else [f"{path}: {value!r} is none of {shape.enum or 'strings'}"]
        case "blob":
            base64.b64decode(value, validate=True)
            return []
        case "boolean":
            return [] if isinstance(value, bool) else [f"{path}: must be a boolean"]
        case "integer" | "long":
            return [] if isinstance(value, int) and not isinstance(value, bool) else [f"{path}: must be an integer"]
        case _:
            good = isinstance(value, int | float) and not isinstance(value, bool)
            low, high = shape.metadata.get("min"), shape.metadata.get("max")
            good = good and (low is None or value >= low) and (high is None or value <= high)
            return [] if good else [f"{path}: {value!r} is no number from {low} to {high}"]


def _of_structure(value: Any, shape: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{path}: must be an object"]
    fields = cast("dict[str, Any]", value)
    wrong = [f"{path}.{name}: no such field" for name in fields if name not in shape.members]
    wrong += [f"{path}.{name}: is missing" for name in shape.required_members if name not in fields]
    if shape.is_tagged_union and len(fields) != 1:
        wrong.append(f"{path}: must be one of {sorted(shape.members)}")
    known = {name: inner for name, inner in fields.items() if name in shape.members}
    return wrong + [
        each for name, inner in known.items() for each in _faults(inner, shape.members[name], f"{path}.{name}")
    ]


def _need_proofs(blocks: list[Any]) -> None:
    proof = {"reasoningText": {"text": script.THOUGHT, "signature": SIGNATURE}}
    for block in blocks:
        need(block.get("reasoningContent", proof) == proof, "Invalid signature in thinking block")


def _results(messages: list[Any]) -> dict[str, str]:
    """City → what its tool said, where the last message has such."""
    results: dict[str, str] = {}
    for message, following in with_next(messages, {"content": []}):
        uses = {block["toolUse"]["toolUseId"]: block["toolUse"] for block in message["content"] if "toolUse" in block}
        found: list[Any] = [block["toolResult"] for block in following["content"] if "toolResult" in block]
        need({each["toolUseId"] for each in found} == uses.keys(), "Expected toolResult blocks for each toolUse")
        for each in found:
            results[uses[each["toolUseId"]]["input"]["city"]] = "".join(block["text"] for block in each["content"])
    return results if any("toolResult" in block for block in messages[-1]["content"]) else {}


def _content(said: Reply) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = []
    if said.thoughts:
        blocks.append({"reasoningContent": {"reasoningText": {"text": said.thought, "signature": SIGNATURE}}})
    if said.pieces:
        blocks.append({"text": said.text})
    return blocks + [
        {"toolUse": {"toolUseId": call.id, "name": call.name, "input": call.arguments}} for call in said.calls
    ]


def _deltas(block: dict[str, Any], said: Reply) -> list[dict[str, Any]]:
    if "reasoningContent" in block:
        thoughts = [{"reasoningContent": {"text": piece}} for piece in said.thoughts]
        return [*thoughts, {"reasoningContent": {"signature": SIGNATURE}}]
    if use := block.get("toolUse"):
        (call,) = (call for call in said.calls if call.id == use["toolUseId"])
        return [{"toolUse": {"input": piece}} for piece in call.pieces]
    return [{"text": piece} for piece in said.pieces]
