"""Bodies in OpenAI's shapes and sizes, rendered ahead so that the mock spends next to no time on them.

A request has about 2 kB, an answer about 800 bytes and a streamed chunk about 250 bytes.
"""

import json
from typing import Any

MODEL = "gpt-4o-mini"
MARK = b"~"
"""Every content chunk holds exactly one, and so does a plain answer: the load client counts them."""

STAMP = b"00000000.000000"
"""Placeholder behind the mark of a paced chunk, replaced by the time of its sending."""


def _flowed(text: str) -> str:
    """A text written over several lines here, as the one line it is."""
    return " ".join(text.split())


SYSTEM = _flowed(
    """
    You are the night shift assistant of a regional railway. You answer passengers in plain words and in at
    most four sentences. You know the timetable that is quoted to you and nothing else: when a departure is
    missing from it, say so and point to the service desk. Never invent a platform. Prices are quoted in euro
    and only from the list of the conversation. If somebody reports an accident, a fire or a person on the
    tracks, answer with the emergency number first and with nothing else before it. Passengers write in many
    languages; answer in the language of their last message. Staff may ask for the log of the night; give it
    as a list with one line for each conversation, the time first, and leave out names, ticket numbers and
    whatever else could tell who the passenger was. If you are asked who you are, say that you are an
    assistant of the railway and not a person.
    """
)
TURNS = (
    (
        "user",
        _flowed(
            """
            Good evening. My train from Aldbrook to Port Sutton (the 21:14, carriage 7) was cancelled, and the
            board only says 'see the app'. The app shows two later trains, one at 22:02 with a change in
            Merrow and one at 23:30 that goes straight through. I travel with a bicycle and a reservation for
            it.
            """
        ),
    ),
    (
        "assistant",
        _flowed(
            """
            I am sorry about the cancellation. The 22:02 takes bicycles on both legs, but the change in Merrow
            gives you six minutes and a flight of stairs; the 23:30 is direct and has free bicycle places.
            Your reservation is valid on either of them without a new fee. Shall I note which one you take?
            """
        ),
    ),
    (
        "user",
        _flowed(
            """
            Six minutes sounds tight. When would I arrive with each of them, is there a lift in Merrow, and
            what happens to my ticket if the first leg of the 22:02 is late and I miss the second one? I have
            to be at the harbour by 01:30 at the latest, so please tell me plainly which one you would take.
            """
        ),
    ),
)
ANSWER = _flowed(
    """
    With the 22:02 you arrive at 00:21, with the 23:30 at 01:07, so both are in time for the harbour. Merrow
    has a lift at the north end of the platform. A missed connection keeps your ticket valid on the next
    train. I would take the 23:30. ~
    """
)
WORDS = (" the", " train", " leaves", " from", " platform", " four", " at", " night")

HEAD_OF_STREAM = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"x-request-id: req_bench\r\ntransfer-encoding: chunked\r\n\r\n"
)
_ENVELOPE: dict[str, Any] = {
    "id": "chatcmpl-BenchAnswer000000000",
    "created": 1764000000,
    "model": MODEL,
    "system_fingerprint": "fp_0bench0000",
}


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _usage(output: int) -> dict[str, Any]:
    return {
        "prompt_tokens": 412,
        "completion_tokens": output,
        "total_tokens": 412 + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _response(body: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %b\r\ncontent-type: application/json\r\nx-request-id: req_bench\r\n" % status
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


def _refusal(status: bytes, message: str) -> bytes:
    return _response(_json({"error": {"message": message, "type": "invalid_request_error"}}), status)


def _event(data: bytes) -> bytes:
    """One server-sent event as one HTTP chunk."""
    event = b"data: %b\n\n" % data
    return b"%x\r\n%b\r\n" % (len(event), event)


def _delta(delta: dict[str, Any], finish: str | None, with_usage: bool) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    chunk = {**_ENVELOPE, "object": "chat.completion.chunk", "choices": [choice]}
    return _event(_json({**chunk, "usage": None} if with_usage else chunk))


class Script:
    """The pieces of a streamed answer, each one write."""

    def __init__(self, with_usage: bool) -> None:
        role = {"role": "assistant", "content": "", "refusal": None}
        self.opening = HEAD_OF_STREAM + _delta(role, None, with_usage)
        self.plain = [_delta({"content": word + "~"}, None, with_usage) for word in WORDS]
        self.stamped = _delta({"content": " ~" + STAMP.decode()}, None, with_usage)
        self.stop = _delta({}, "stop", with_usage)
        self.end = _event(b"[DONE]") + b"0\r\n\r\n"
        self.with_usage = with_usage

    def closing(self, chunks: int) -> list[bytes]:
        """What follows the content; the usage is the last event but one, as OpenAI sends it."""
        if not self.with_usage:
            return [self.stop, self.end]
        usage: dict[str, Any] = {"choices": [], "usage": _usage(chunks)}
        last = {**_ENVELOPE, "object": "chat.completion.chunk", **usage}
        return [self.stop, _event(_json(last)), self.end]


SCRIPTS = {with_usage: Script(with_usage) for with_usage in (False, True)}

MESSAGE: dict[str, Any] = {"role": "assistant", "content": ANSWER, "refusal": None, "annotations": []}
CHAT = _response(
    _json(
        {
            **_ENVELOPE,
            "object": "chat.completion",
            "choices": [{"index": 0, "message": MESSAGE, "logprobs": None, "finish_reason": "stop"}],
            "usage": _usage(71),
            "service_tier": "default",
        }
    )
)
MODELS = _response(
    _json(
        {
            "object": "list",
            "data": [{"id": MODEL, "object": "model", "created": 1721172741, "owned_by": "system"}],
        }
    )
)
EMBEDDINGS = _response(
    _json(
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.0125] * 1536}],
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        }
    )
)
HEALTHY = _response(b'{"status":"ok"}')
NO_ROUTE = _refusal(b"404 Not Found", "no such route")
NO_LENGTH = _refusal(b"411 Length Required", "a body needs a content-length")


def chat_body(model: str = MODEL, stream: bool = False, directive: str = "") -> dict[str, Any]:
    """A chat request; the directive rides in the last message, so that it passes any gateway."""
    messages = [{"role": "system", "content": SYSTEM}]
    messages += [{"role": role, "content": text} for role, text in TURNS]
    if directive:
        messages[-1]["content"] += " " + directive
    body: dict[str, Any] = {"model": model, "messages": messages, "temperature": 0.2, "max_tokens": 300}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def anthropic_body(model: str = MODEL, stream: bool = False, directive: str = "") -> dict[str, Any]:
    """The same request as a client of Anthropic's API has it."""
    messages: list[dict[str, Any]] = [{"role": role, "content": text} for role, text in TURNS]
    if directive:
        messages[-1]["content"] += " " + directive
    body = {"model": model, "system": SYSTEM, "messages": messages, "temperature": 0.2, "max_tokens": 300}
    return body | {"stream": True} if stream else body
