"""OpenAI's text completions: a prompt, and a text."""

import json
from collections.abc import Mapping
from typing import Any

from openai.types import Completion

from tests.e2e.matrix.callers.caller import LIMIT, Caller, Heard, Trouble, Wish, events
from tests.e2e.matrix.callers.chat import DONE, KINDS, STOPS, trouble, usage_of


class CompletionsCaller(Caller):
    path = "/v1/completions"
    features = frozenset({"plain", "stream", "error"})
    kinds = KINDS

    def body(self, wish: Wish) -> dict[str, Any]:
        body: dict[str, Any] = {"model": wish.model, "prompt": wish.say, "max_tokens": LIMIT}
        if wish.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body

    def user(self, wish: Wish) -> list[Any]:
        raise NotImplementedError("there are no turns")

    def results(self, said: Mapping[str, str], heard: Heard) -> list[Any]:
        raise NotImplementedError("there are no turns")

    def hear(self, body: bytes) -> Heard:
        answer = json.loads(body)
        Completion.model_validate(answer)
        (choice,) = answer["choices"]
        return Heard(text=choice["text"], stop=STOPS[choice["finish_reason"]], usage=usage_of(answer["usage"]))

    def hear_stream(self, body: bytes) -> Heard:
        *found, (_, end) = events(body)
        assert end == DONE
        *chunks, last = [json.loads(data) for _, data in found]
        for chunk in chunks:
            choices = [{**choice, "finish_reason": choice["finish_reason"] or "stop"} for choice in chunk["choices"]]
            Completion.model_validate({**chunk, "choices": choices})  # its type does not know that it comes last
        assert not last["choices"]
        choices = [choice for chunk in chunks for choice in chunk["choices"]]
        (reason,) = (choice["finish_reason"] for choice in choices if choice["finish_reason"])
        text = "".join(choice["text"] for choice in choices)
        return Heard(text=text, stop=STOPS[reason], usage=usage_of(last["usage"]))

    def trouble(self, body: bytes) -> Trouble:
        return trouble(json.loads(body))

    def broken(self, body: bytes) -> tuple[str, Trouble]:
        *chunks, last = [json.loads(data) for _, data in events(body)]
        return "".join(choice["text"] for chunk in chunks for choice in chunk["choices"]), trouble(last)
