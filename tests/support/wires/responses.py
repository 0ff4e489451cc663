"""OpenAI's Responses API.

What may be sent is the request type of OpenAI's SDK. Beyond it, from its documentation: an output for each call
that is in the input, and thoughts only as they were given.
https://platform.openai.com/docs/api-reference/responses
"""

import json
from typing import Any, Final

from openai.types.responses.response_create_params import (
    ResponseCreateParamsNonStreaming,
    ResponseCreateParamsStreaming,
)

from tests.support.openai_upstream import Received
from tests.support.wires import script
from tests.support.wires.fake import KEY, WireFake, data_event, image_in, need, need_none
from tests.support.wires.script import TOKENS, Asked, Reply
from tests.support.wires.shape import faults

MODEL: Final = "o4-mini"
ENCRYPTED: Final = "gAAAAABoISQ24OyVRYbkYfukdJoqdzWT-3uiErKInHDC-lgAaXeky44N77j7aibc2elm"
THOUGHT_ID: Final = "rs_0a1b2c3d"
USAGE: Final = {
    "input_tokens": TOKENS.input,
    "input_tokens_details": {"cached_tokens": TOKENS.cached, "cache_write_tokens": 0},
    "output_tokens": TOKENS.output,
    "output_tokens_details": {"reasoning_tokens": TOKENS.reasoning},
    "total_tokens": TOKENS.input + TOKENS.output,
}
_WISH: Final = "reasoning.encrypted_content"
_ERRORS: Final = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("server_error", "server_is_overloaded"),
}


class ResponsesFake(WireFake):
    """A provider of the Responses API."""

    key: tuple[str, str] = ("authorization", f"Bearer {KEY}")
    path = "/v1/responses"

    def understood(self, request: Received) -> Asked:
        header, value = self.key
        need(request.headers.get(header) == value, "no key, or a wrong one")
        need(request.path == self.path, f"there is nothing at {request.path}")
        body = request.json
        wanted = ResponseCreateParamsStreaming if request.streamed else ResponseCreateParamsNonStreaming
        need_none(faults(body, wanted))
        found = body["input"]
        items: list[Any] = [{"role": "user", "content": found}] if isinstance(found, str) else found
        results = _results(items)
        last = next(item for item in reversed(items) if item.get("role") == "user")["content"]
        form: dict[str, Any] = body.get("text", {}).get("format") or {}
        thoughts = [item for item in items if item.get("type") == "reasoning"]
        need(all(item["encrypted_content"] == ENCRYPTED for item in thoughts), "a thought could not be decrypted")
        reasoning: dict[str, Any] = body.get("reasoning") or {}
        return Asked(
            text=last if isinstance(last, str) else "".join(part.get("text", "") for part in last),
            streamed=request.streamed,
            tools=tuple(tool["name"] for tool in body.get("tools") or () if tool["type"] == "function"),
            results=results if items[-1].get("type") == "function_call_output" else {},
            images=()
            if isinstance(last, str)
            else tuple(image_in(part["image_url"]) for part in last if part["type"] == "input_image"),
            schema=form.get("schema"),
            thinks=reasoning.get("effort", "none") != "none" and _WISH in (body.get("include") or ()),
            proven=any(item["id"] == THOUGHT_ID for item in thoughts),
        )

    def answer(self, said: Reply, request: Received) -> Any:
        status = "incomplete" if said.stop == "length" else "completed"
        made = self._response(request, status, _items(said))
        if status == "incomplete":
            made["incomplete_details"] = {"reason": "max_output_tokens"}
        return {**made, "usage": USAGE}

    def events(self, said: Reply, request: Received) -> list[bytes]:
        happened: list[dict[str, Any]] = []

        def add(kind: str, **fields: Any) -> None:
            happened.append({"type": kind, "sequence_number": len(happened), **fields})

        begun = self._response(request, "in_progress", [])
        add("response.created", response=begun)
        add("response.in_progress", response=begun)
        for place, item in enumerate(_items(said)):
            where = {"item_id": item["id"], "output_index": place}
            add("response.output_item.added", output_index=place, item=_empty(item))
            match item["type"]:
                case "reasoning":
                    part = {**where, "summary_index": 0}
                    add("response.reasoning_summary_part.added", **part, part={"type": "summary_text", "text": ""})
                    for piece in said.thoughts:
                        add("response.reasoning_summary_text.delta", **part, delta=piece)
                    add("response.reasoning_summary_text.done", **part, text=said.thought)
                    add("response.reasoning_summary_part.done", **part, part=item["summary"][0])
                case "message":
                    part = {**where, "content_index": 0}
                    add("response.content_part.added", **part, part={**item["content"][0], "text": ""})
                    for piece in said.pieces:
                        add("response.output_text.delta", **part, delta=piece, logprobs=[])
                        if said.breaks:
                            add("error", code="server_error", message=script.MESSAGE, param=None)
                            return [data_event(each, each["type"]) for each in happened]
                    add("response.output_text.done", **part, text=said.text, logprobs=[])
                    add("response.content_part.done", **part, part=item["content"][0])
                case _:
                    call = next(call for call in said.calls if call.id == item["call_id"])
                    for piece in call.pieces:
                        add("response.function_call_arguments.delta", **where, delta=piece)
                    add("response.function_call_arguments.done", **where, name=call.name, arguments=item["arguments"])
            add("response.output_item.done", output_index=place, item=item)
        end = self.answer(said, request)
        add(f"response.{end['status']}", response=end)
        return [data_event(each, each["type"]) for each in happened]

    def error(self, status: int, message: str) -> tuple[int, Any]:
        kind, code = _ERRORS[status]
        said = {"message": message or script.MESSAGE, "type": kind, "param": None, "code": code}
        return status, {"error": said}

    def _response(self, request: Received, status: str, output: list[Any]) -> dict[str, Any]:
        asked = request.json
        return {
            "id": "resp_01",
            "object": "response",
            "created_at": 1_763_000_000,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "instructions": asked.get("instructions"),
            "metadata": {},
            "model": MODEL,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "reasoning": {"effort": "medium", "summary": None},
            "service_tier": "default",
            "store": asked.get("store", True),
            "temperature": 1.0,
            "text": {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": asked.get("tools") or [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": None,
        }


def _items(said: Reply) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if said.thoughts:
        summary = [{"type": "summary_text", "text": said.thought}]
        items.append({"type": "reasoning", "id": THOUGHT_ID, "summary": summary, "encrypted_content": ENCRYPTED})
    if said.pieces:
        status = "incomplete" if said.stop == "length" else "completed"
        content: list[Any] = [{"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}]
        items.append({"type": "message", "id": "msg_01", "status": status, "role": "assistant", "content": content})
    for call in said.calls:
        fields = {"call_id": call.id, "name": call.name, "arguments": "".join(call.pieces), "status": "completed"}
        items.append({"type": "function_call", "id": f"fc_{call.id}", **fields})
    return items


def _empty(item: dict[str, Any]) -> dict[str, Any]:
    """An item as it is before its content comes."""
    match item["type"]:
        case "reasoning":
            return {**item, "summary": []}
        case "message":
            return {**item, "status": "in_progress", "content": []}
        case _:
            return {**item, "status": "in_progress", "arguments": ""}


def _results(items: list[Any]) -> dict[str, str]:
    """City → what its tool said."""
    calls = {item["call_id"]: json.loads(item["arguments"]) for item in items if item.get("type") == "function_call"}
    outputs = {item["call_id"]: item["output"] for item in items if item.get("type") == "function_call_output"}
    need(calls.keys() == outputs.keys(), "No tool output found for function call, or the other way round")
    return {
        calls[id_]["city"]: said if isinstance(said, str) else "".join(part["text"] for part in said)
        for id_, said in outputs.items()
    }
