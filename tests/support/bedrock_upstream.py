"""A provider that speaks Amazon Bedrock's Converse on a real socket, written from its public documentation.

    async def test_…(bedrock_upstream: BedrockUpstream):
        bedrock_upstream.always(stream(text("Hel", "lo"), gate=gate))
        … register a provider with bedrock_upstream.base_url and type "bedrock", call it …

Without a script it answers as the API does: it refuses who can't show who they are (an API key, or a signature, which
is computed anew by botocore), a model that it does not have, and conversations that Converse does not take.
"""

import json
import struct
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from tests.support.openai_upstream import LOCALHOST, Answer, Gate, OpenAIUpstream, Received, Wire, listening, sse, whole

MODEL = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/a1b2c3d4e5f6"
REGION = "eu-central-1"
API_KEY = "ABSKQmVkcm9ja0FQSUtleS10ZXN0"
ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
TOKEN = "IQoJb3JpZ2luX2VjEXAMPLE/token+of=a/session=="
USAGE: Mapping[str, Any] = {"inputTokens": 12, "outputTokens": 9, "totalTokens": 21}
CACHED_USAGE: Mapping[str, Any] = {
    "inputTokens": 12,
    "outputTokens": 9,
    "totalTokens": 2321,
    "cacheReadInputTokens": 2000,
    "cacheWriteInputTokens": 300,
    "cacheDetails": [{"ttl": "1h", "inputTokens": 100}, {"ttl": "5m", "inputTokens": 200}],
}
SIGNATURE = "EqQBCgIYAhIM1gbcDa9GJwZA2b3h"
_EVENT_STREAM = "application/vnd.amazon.eventstream"


# ── Frames ────────────────────────────────────────────────────────────────────────────────────────


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame of an event stream."""
    packed = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value.encode())) + value.encode()
        for name, value in headers.items()
    )
    start = struct.pack(">II", 16 + len(packed) + len(payload), len(packed))
    start += struct.pack(">I", zlib.crc32(start)) + packed + payload
    return start + struct.pack(">I", zlib.crc32(start))


def event(name: str, **fields: Any) -> bytes:
    """An event, padded as Bedrock does it."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(headers, json.dumps({**fields, "p": "abcdefg"}).encode())


def exception(name: str, message: str = "the provider's own words") -> bytes:
    """The event that ends a stream in the middle."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return frame(headers, json.dumps({"message": message}).encode())


# ── What is said ──────────────────────────────────────────────────────────────────────────────────


def text(*pieces: str) -> dict[str, Any]:
    return {"text": "".join(pieces), "_pieces": pieces}


def tool(name: str = "weather", *pieces: str) -> dict[str, Any]:
    arguments = pieces or ('{"city": ', '"Graz"}')
    use = {"toolUseId": "tooluse_01", "name": name, "input": json.loads("".join(arguments))}
    return {"toolUse": use, "_pieces": arguments}


def thought(*pieces: str) -> dict[str, Any]:
    said = {"text": "".join(pieces), "signature": SIGNATURE}
    return {"reasoningContent": {"reasoningText": said}, "_pieces": pieces}


def events(
    *blocks: Mapping[str, Any], usage: Mapping[str, Any] = USAGE, stop: str = "end_turn", **stopped: Any
) -> list[bytes]:
    """The frames of a streamed answer. stopped: further fields of messageStop."""
    made = [event("messageStart", role="assistant")]
    for index, block in enumerate(blocks):
        if use := block.get("toolUse"):
            start = {"toolUse": {"toolUseId": use["toolUseId"], "name": use["name"]}}
            made.append(event("contentBlockStart", start=start, contentBlockIndex=index))
        deltas = [_delta(block, piece) for piece in block["_pieces"]]
        if "reasoningContent" in block:
            deltas.append({"reasoningContent": {"signature": SIGNATURE}})
        made += [event("contentBlockDelta", delta=delta, contentBlockIndex=index) for delta in deltas]
        made.append(event("contentBlockStop", contentBlockIndex=index))
    made.append(event("messageStop", stopReason=stop, **stopped))
    return [*made, event("metadata", usage=dict(usage), metrics={"latencyMs": 7})]


def _delta(block: Mapping[str, Any], piece: str) -> dict[str, Any]:
    if "toolUse" in block:
        return {"toolUse": {"input": piece}}
    return {"reasoningContent": {"text": piece}} if "reasoningContent" in block else {"text": piece}


def body(*blocks: Mapping[str, Any], usage: Mapping[str, Any] = USAGE, stop: str = "end_turn", **extra: Any) -> bytes:
    """A whole answer."""
    content = [{name: value for name, value in block.items() if name != "_pieces"} for block in blocks]
    message = {"message": {"role": "assistant", "content": content}}
    said = {"output": message, "stopReason": stop, "usage": dict(usage), "metrics": {"latencyMs": 7}}
    return json.dumps(said | extra).encode()


def stream(*blocks: Mapping[str, Any], gate: Gate | None = None, last: bytes = b"", **shape: Any) -> Answer:
    """A streamed answer; to a request of the other path, the same in one piece. last: in place of the end."""

    async def answer(request: Received, wire: Wire) -> None:
        if not request.path.endswith("/converse-stream"):
            await whole(body(*blocks, **shape))(request, wire)
            return
        pieces = events(*blocks, **shape)
        await sse([*pieces[:-2], last] if last else pieces, gate=gate, content_type=_EVENT_STREAM)(request, wire)

    return answer


def error(status: int, message: str = "the provider's own words") -> Answer:
    """An error answer."""
    return whole(json.dumps({"message": message}).encode(), status=status)


# ── The provider ──────────────────────────────────────────────────────────────────────────────────


class BedrockUpstream(OpenAIUpstream):
    """The provider. Make it with `serve_bedrock`."""

    def __init__(self) -> None:
        super().__init__()
        self.models = [MODEL, PROFILE]
        self.session_token: str | None = None  # with which requests must be signed

    @property
    def base_url(self) -> str:
        return f"http://{LOCALHOST}:{self.port}"

    def listed(self, request: Received) -> Answer:
        """Models on one page, profiles on two."""
        if refusal := self._stranger(request):
            return refusal
        if request.path == "/foundation-models":
            once = {"outputModalities": ["TEXT"], "inferenceTypesSupported": ["ON_DEMAND"]}
            found = [
                {"modelId": "openai.gpt-oss-120b-1:0", **once},
                {"modelId": "amazon.titan-image", **once, "outputModalities": ["IMAGE"]},
                {"modelId": "anthropic.claude-opus-4-6-v1", **once, "inferenceTypesSupported": ["INFERENCE_PROFILE"]},
            ]
            return whole(json.dumps({"modelSummaries": found}).encode())
        asked = parse_qs(request.query, keep_blank_values=True)
        page: dict[str, Any] = {"inferenceProfileSummaries": [_profile(MODEL)], "nextToken": "a/b+c=="}
        if asked.get("nextToken") == ["a/b+c=="]:
            page = {"inferenceProfileSummaries": [_profile("a1b2c3d4e5f6", PROFILE)]}
        return whole(json.dumps(page).encode())

    def properly(self, request: Received) -> Answer:
        """What the API answers."""
        if refusal := self._stranger(request) or self._refusal(request):
            return refusal
        asked = request.json
        usage = CACHED_USAGE if b'"cachePoint"' in request.body else USAGE
        if choice := asked.get("toolConfig", {}).get("toolChoice", {}).get("tool"):
            return stream(tool(choice["name"]), usage=usage, stop="tool_use")
        thinks = "thinking" in asked.get("additionalModelRequestFields", {})
        said = [thought("Let me", " think."), text("Hel", "lo")] if thinks else [text("Hel", "lo", " there.")]
        return stream(*said, usage=usage)

    def _stranger(self, request: Received) -> Answer | None:
        shown = request.headers.get("authorization", "")
        if shown == f"Bearer {API_KEY}":
            return None
        if not shown.startswith("AWS4-HMAC-SHA256 "):
            return error(403, "Missing Authentication Token")
        return None if shown == self._signature(request) else error(403, "The signature does not match")

    def _signature(self, request: Received) -> str:
        """The header that the request should have had."""
        from botocore.auth import SigV4Auth  # here, for the many tests that don't need it
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        url = f"http://{request.headers['host']}{request.path}" + (f"?{request.query}" if request.query else "")
        names = ["X-Amz-Date", *(["X-Amz-Security-Token"] if self.session_token else [])]
        signed: Any = AWSRequest(method=request.method, url=url, data=request.body)
        for name in names:
            signed.headers[name] = request.headers.get(name.lower(), "")
        signed.context["timestamp"] = request.headers.get("x-amz-date", "")
        auth: Any = SigV4Auth(Credentials(ACCESS_KEY, SECRET, self.session_token), "bedrock", REGION)
        signature: str = auth.signature(auth.string_to_sign(signed, auth.canonical_request(signed)), signed)
        headers: str = auth.signed_headers(auth.headers_to_sign(signed))
        return f"AWS4-HMAC-SHA256 Credential={auth.scope(signed)}, SignedHeaders={headers}, Signature={signature}"

    def _refusal(self, request: Received) -> Answer | None:
        _, kind, model, verb = request.path.split("/")
        if kind != "model" or verb not in ("converse", "converse-stream") or unquote(model) not in self.models:
            return error(404, "The provided model identifier is invalid.")
        asked = request.json
        roles = [message["role"] for message in asked["messages"]]
        if roles[:1] != ["user"] or any(one == two for one, two in pairwise(roles)):
            return error(400, "A conversation must alternate between user and assistant roles")
        blocks = [block for message in asked["messages"] for block in message["content"]]
        if any(len(block) != 1 for block in blocks):
            return error(400, "A block is one of a union")
        if any(not block["text"].strip() for block in blocks if "text" in block):
            return error(400, "The text field in the ContentBlock object is blank.")
        if any(block.keys() & {"toolUse", "toolResult"} for block in blocks) and "toolConfig" not in asked:
            return error(400, "The toolConfig field must be defined when using toolUse and toolResult content blocks.")
        if asked.get("inferenceConfig", {}).get("temperature", 0) > 1:
            return error(400, "temperature is at most 1")
        return None


def _profile(name: str, arn: str = "") -> dict[str, Any]:
    kind = "APPLICATION" if arn else "SYSTEM_DEFINED"
    arn = arn or f"arn:aws:bedrock:{REGION}:123456789012:inference-profile/{name}"
    return {"inferenceProfileId": name, "inferenceProfileArn": arn, "status": "ACTIVE", "type": kind}


@asynccontextmanager
async def serve_bedrock() -> AsyncGenerator[BedrockUpstream]:
    """Starts a provider on a free port."""
    async with listening(BedrockUpstream()) as upstream:
        yield upstream


@pytest.fixture
async def bedrock_upstream() -> AsyncIterator[BedrockUpstream]:
    """A provider of the test's own."""
    async with serve_bedrock() as upstream:
        yield upstream
