"""OpenAI's Responses API, with the conversation in every request and thoughts that come encrypted."""

import json
from collections.abc import Mapping
from typing import Any

from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.e2e.matrix.callers.caller import (
    DESCRIPTION,
    LIMIT,
    PARAMETERS,
    SYSTEM,
    Called,
    Caller,
    Heard,
    Stop,
    Trouble,
    Wish,
    events,
)
from tests.e2e.matrix.callers.chat import KINDS, trouble

_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_DELTAS = {
    "response.output_text.delta": "text",
    "response.reasoning_summary_text.delta": "thought",
    "response.reasoning_text.delta": "thought",
    "response.function_call_arguments.delta": "arguments",
}


class ResponsesCaller(Caller):
    path = "/v1/responses"
    kinds = KINDS

    def body(self, wish: Wish) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": wish.model,
            "instructions": SYSTEM,
            "input": [*wish.before, *self.user(wish)],
            "max_output_tokens": LIMIT,
            "store": False,
        }
        if wish.stream:
            body["stream"] = True
        if wish.tool:
            tool = {"name": wish.tool, "description": DESCRIPTION, "parameters": PARAMETERS, "strict": False}
            body["tools"] = [{"type": "function", **tool}]
            if wish.forced:
                body["tool_choice"] = {"type": "function", "name": wish.tool}
        if wish.schema is not None:
            body["text"] = {"format": {"type": "json_schema", "name": "weather", "schema": wish.schema}}
        if wish.thinks:
            body["reasoning"] = {"effort": "medium", "summary": "auto"}
        if wish.thinks or wish.tool:
            body["include"] = ["reasoning.encrypted_content"]
        return body

    def user(self, wish: Wish) -> list[Any]:
        if not wish.say:
            return []
        content: list[Any] = [{"type": "input_text", "text": wish.say}]
        if wish.image:
            content.append(
                {"type": "input_image", "image_url": f"data:image/png;base64,{wish.picture}", "detail": "auto"}
            )
        return [{"type": "message", "role": "user", "content": content}]

    def results(self, said: Mapping[str, str], heard: Heard) -> list[Any]:
        return [{"type": "function_call_output", "call_id": id_, "output": text} for id_, text in said.items()]

    def hear(self, body: bytes) -> Heard:
        return _heard(json.loads(body))

    def hear_stream(self, body: bytes) -> Heard:
        happened = [json.loads(data) for _, data in events(body)]
        for number, ((name, _), each) in enumerate(zip(events(body), happened, strict=True)):
            _EVENT.validate_python(each)
            assert (each["type"], each["sequence_number"]) == (name, number)
        assert [each["type"] for each in happened[:2]] == ["response.created", "response.in_progress"]
        last = happened[-1]
        assert last["type"] in ("response.completed", "response.incomplete")
        done = [each["item"] for each in happened if each["type"] == "response.output_item.done"]
        added = [each for each in happened if each["type"] == "response.output_item.added"]
        assert done == last["response"]["output"]
        assert [each["output_index"] for each in added] == list(range(len(done)))
        heard = _heard(last["response"])
        said = {"text": "", "thought": "", "arguments": ""}
        for each in happened:
            if each["type"] in _DELTAS:
                said[_DELTAS[each["type"]]] += each["delta"]
        assert (said["text"], said["thought"]) == (heard.text, heard.thought)
        assert said["arguments"] == "".join(item["arguments"] for item in done if item["type"] == "function_call")
        return heard

    def trouble(self, body: bytes) -> Trouble:
        return trouble(json.loads(body))

    def broken(self, body: bytes) -> tuple[str, Trouble]:
        happened = [json.loads(data) for _, data in events(body)]
        assert happened[-1]["type"] in ("error", "response.failed")
        error = happened[-1].get("response", {}).get("error") or happened[-1]
        text = "".join(each["delta"] for each in happened if each["type"] == "response.output_text.delta")
        return text, Trouble(error["message"], "server_error" if error["code"] else "")


def _heard(answer: dict[str, Any]) -> Heard:
    Response.model_validate(answer)
    assert answer["object"] == "response"
    output: list[Any] = answer["output"]
    texts = [part["text"] for item in output if item["type"] == "message" for part in item["content"]]
    thoughts = [part["text"] for item in output if item["type"] == "reasoning" for part in item["summary"]]
    calls = [
        Called(item["call_id"], item["name"], json.loads(item["arguments"]))
        for item in output
        if item["type"] == "function_call"
    ]
    stop: Stop = "tool" if calls else "stop"
    if answer["status"] == "incomplete":
        assert answer["incomplete_details"]["reason"] == "max_output_tokens"
        stop = "length"
    else:
        assert answer["status"] == "completed"
    usage = answer["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]
    cached, thought = usage["input_tokens_details"], usage["output_tokens_details"]
    return Heard(
        text="".join(texts),
        thought="".join(thoughts),
        calls=calls,
        stop=stop,
        usage=(
            usage["input_tokens"],
            usage["output_tokens"],
            cached["cached_tokens"],
            thought["reasoning_tokens"],
        ),
        turn=output,
    )
