"""Google's Gemini: generateContent, its stream, and batchEmbedContents; at Gemini's own address and at Vertex AI.

The fields that may be sent are those of the API's reference and of Google's SDK, in camel case. Beyond them, from
its documentation: a response for each call of a function before anything else, in one content, and for models of the
third generation the signature that a call was given with.
https://ai.google.dev/api/generate-content
"""

import base64
import json
import re
from typing import Any, Final, Literal, Required, cast

from typing_extensions import TypedDict

from tests.support.openai_upstream import Answer, Received, whole
from tests.support.wires import script
from tests.support.wires.fake import KEY, WireFake, data_event, need, need_none, with_next
from tests.support.wires.script import TOKENS, Asked, Call, Reply
from tests.support.wires.shape import faults

MODEL: Final = "gemini-3-pro-preview"
VECTOR: Final = (0.25, -0.5, 0.125)
SIGNATURE: Final = "CpQBAY89a18NrTUVsIkhb3Z0aG91Z2h0cw=="
CALL_SIGNATURE: Final = "CiQBAY89a1dvcmtlcnMgb2YgYSBjYWxsIQ=="
UNSIGNED: Final = "skip_thought_signature_validator"
"""What a client says that has lost a signature: https://ai.google.dev/gemini-api/docs/thought-signatures"""
USAGE: Final = {
    "promptTokenCount": TOKENS.input,
    "cachedContentTokenCount": TOKENS.cached,
    "candidatesTokenCount": TOKENS.output - TOKENS.reasoning,
    "thoughtsTokenCount": TOKENS.reasoning,
    "totalTokenCount": TOKENS.input + TOKENS.output,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": TOKENS.input}],
}
_ERRORS: Final = {400: (400, "INVALID_ARGUMENT"), 401: (400, "INVALID_ARGUMENT")} | {
    429: (429, "RESOURCE_EXHAUSTED"),
    503: (503, "UNAVAILABLE"),
}


class Blob(TypedDict, total=False):
    mimeType: Required[str]
    data: Required[str]
    displayName: str


class FileData(TypedDict, total=False):
    mimeType: str
    fileUri: Required[str]
    displayName: str


class FunctionCall(TypedDict, total=False):
    id: str
    name: Required[str]
    args: dict[str, Any]


class FunctionResponsePart(TypedDict, total=False):
    inlineData: Blob
    fileData: FileData


class FunctionResponse(TypedDict, total=False):
    id: str
    name: Required[str]
    response: Required[dict[str, Any]]
    parts: list[FunctionResponsePart]
    willContinue: bool
    scheduling: str


class Part(TypedDict, total=False):
    text: str
    thought: bool
    thoughtSignature: str
    inlineData: Blob
    fileData: FileData
    functionCall: FunctionCall
    functionResponse: FunctionResponse
    executableCode: dict[str, Any]
    codeExecutionResult: dict[str, Any]
    videoMetadata: dict[str, Any]
    mediaResolution: dict[str, Any]


class Content(TypedDict, total=False):
    role: Literal["user", "model"]
    parts: Required[list[Part]]


class FunctionDeclaration(TypedDict, total=False):
    name: Required[str]
    description: str
    behavior: str
    parameters: dict[str, Any]
    parametersJsonSchema: Any
    response: dict[str, Any]
    responseJsonSchema: Any


class Tool(TypedDict, total=False):
    functionDeclarations: list[FunctionDeclaration]
    googleSearch: dict[str, Any]
    codeExecution: dict[str, Any]
    urlContext: dict[str, Any]


class FunctionCallingConfig(TypedDict, total=False):
    mode: Literal["AUTO", "ANY", "NONE", "VALIDATED"]
    allowedFunctionNames: list[str]


class ToolConfig(TypedDict, total=False):
    functionCallingConfig: FunctionCallingConfig
    retrievalConfig: dict[str, Any]


class ThinkingConfig(TypedDict, total=False):
    includeThoughts: bool
    thinkingBudget: int
    thinkingLevel: Literal["MINIMAL", "LOW", "MEDIUM", "HIGH"]


class GenerationConfig(TypedDict, total=False):
    stopSequences: list[str]
    responseMimeType: Literal["text/plain", "application/json", "text/x.enum"]
    responseSchema: dict[str, Any]
    responseJsonSchema: Any
    responseModalities: list[str]
    candidateCount: int
    maxOutputTokens: int
    temperature: float
    topP: float
    topK: int
    seed: int
    presencePenalty: float
    frequencyPenalty: float
    responseLogprobs: bool
    logprobs: int
    enableEnhancedCivicAnswers: bool
    speechConfig: dict[str, Any]
    thinkingConfig: ThinkingConfig
    imageConfig: dict[str, Any]
    mediaResolution: str


class GenerateContentRequest(TypedDict, total=False):
    contents: Required[list[Content]]
    tools: list[Tool]
    toolConfig: ToolConfig
    safetySettings: list[dict[str, Any]]
    systemInstruction: Content
    generationConfig: GenerationConfig
    cachedContent: str
    serviceTier: Literal["standard", "flex", "priority"]
    store: bool


class EmbedContentRequest(TypedDict, total=False):
    model: Required[str]
    content: Required[Content]
    taskType: str
    title: str
    outputDimensionality: int


class BatchEmbedContentsRequest(TypedDict):
    requests: list[EmbedContentRequest]


class GeminiFake(WireFake):
    """Gemini."""

    key_header, key = "x-goog-api-key", KEY
    place = "/v1beta/models/"

    def properly(self, request: Received) -> Answer:
        if not request.path.endswith(":batchEmbedContents"):
            return super().properly(request)
        self.complaints += faults(request.json, BatchEmbedContentsRequest)
        vectors = [{"values": VECTOR} for _ in request.json["requests"]]
        return whole(json.dumps({"embeddings": vectors, "usageMetadata": {"promptTokenCount": TOKENS.input}}).encode())

    def understood(self, request: Received) -> Asked:
        need(request.headers.get(self.key_header, "").startswith(self.key), "no key, or a wrong one")
        streamed = request.path.endswith(":streamGenerateContent")
        verb = "streamGenerateContent" if streamed else "generateContent"
        need(request.path == f"{self.place}{MODEL}:{verb}", f"there is nothing at {request.path}")
        need(request.query == ("alt=sse" if streamed else ""), "a stream is asked for with ?alt=sse, and only that")
        body = _camelled(request.json)
        need_none(faults(body, GenerateContentRequest))
        contents: list[Any] = body["contents"]
        if UNSIGNED in request.body.decode():
            self.shortcuts.append(UNSIGNED)
        _need_good(contents, body.get("systemInstruction", {"parts": [{"text": ""}]}))
        config: dict[str, Any] = body.get("generationConfig", {})
        schema = config.get("responseJsonSchema", config.get("responseSchema"))
        need(schema is None or "responseMimeType" in config, "a schema needs its media type")
        parts: list[Any] = contents[-1]["parts"]
        thinking: dict[str, Any] = config.get("thinkingConfig", {})
        return Asked(
            text="".join(part.get("text", "") for part in parts),
            streamed=streamed,
            tools=tuple(each["name"] for tool in body.get("tools", ()) for each in tool["functionDeclarations"]),
            results=_results(contents),
            images=tuple(_image(part["inlineData"]) for part in parts if "inlineData" in part),
            schema=schema,
            thinks=thinking.get("includeThoughts") is True,
            proven=any(part.get("thoughtSignature") == SIGNATURE for content in contents for part in content["parts"]),
        )

    def answer(self, said: Reply, request: Received) -> Any:
        parts = [_part(text=said.thought, thought=True, thoughtSignature=SIGNATURE)] if said.thoughts else []
        parts += [_part(text=said.text)] if said.pieces else []
        return _response([*parts, *_calls(said.calls)], "MAX_TOKENS" if said.stop == "length" else "STOP", USAGE)

    def events(self, said: Reply, request: Received) -> list[bytes]:
        chunks = [[_part(text=piece, thought=True)] for piece in said.thoughts]
        if chunks:
            chunks[-1][0]["thoughtSignature"] = SIGNATURE
        chunks += [[_part(text=piece)] for piece in said.pieces]
        chunks += [[call] for call in _calls(said.calls)]
        made: list[dict[str, Any]] = []
        for number, parts in enumerate(chunks, 1):
            so_far = {"promptTokenCount": TOKENS.input, "candidatesTokenCount": number}
            made.append(_response(parts, "", {**so_far, "totalTokenCount": TOKENS.input + number}))
            if said.breaks:
                return [_event(made[0]), _event(self.error(503, "")[1])]
        made.append(_response([_part(text="")], "MAX_TOKENS" if said.stop == "length" else "STOP", USAGE))
        return [_event(each) for each in made]

    def error(self, status: int, message: str) -> tuple[int, Any]:
        own, name = _ERRORS[status]
        said: dict[str, Any] = {"code": own, "message": message or script.MESSAGE, "status": name}
        if status == 401:
            info = "type.googleapis.com/google.rpc.ErrorInfo"
            said["details"] = [{"@type": info, "reason": "API_KEY_INVALID", "domain": "googleapis.com"}]
        return own, {"error": said}


class GeminiAtVertexFake(GeminiFake):
    """Google's models at Vertex AI."""

    key_header, key = "authorization", "Bearer token-"
    place = "/v1/projects/p/locations/eu/publishers/google/models/"


_OF_URLS: Final = str.maketrans("-_", "+/")  # of base64 both alphabets are taken
# What is inside of these has names of somebody else's.
_OPAQUE: Final = frozenset({"args", "response", "parameters", "parametersJsonSchema", "responseJsonSchema"})


def _camelled(value: Any) -> Any:
    """JSON as the reference has it: Google's own clients send some of its names in snake case, which is good too."""
    if isinstance(value, list):
        return [_camelled(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    named = {re.sub("_(.)", lambda found: found[1].upper(), name): each for name, each in cast("Any", value).items()}
    return {name: each if name in _OPAQUE else _camelled(each) for name, each in named.items()}


def _need_good(contents: list[Any], system: Any) -> None:
    need(all(content["parts"] for content in [*contents, system]), "contents.parts must not be empty")
    need(contents[0]["role"] == "user", "the conversation begins with the user")
    for content in contents:
        for part in content["parts"]:
            said = [name for name in part if name in ("text", "inlineData", "fileData", "functionCall")]
            said += [name for name in part if name == "functionResponse"]
            need(len(said) == 1, f"a part is one of a union: {sorted(part)}")
            base64.urlsafe_b64decode(part.get("thoughtSignature", ""))
    now = max(number for number, content in enumerate(contents) if _is_said(content))
    for content in contents[now + 1 :]:
        calls = [part for part in content["parts"] if "functionCall" in part]
        need(
            not calls or calls[0].get("thoughtSignature") in (CALL_SIGNATURE, UNSIGNED),
            "Function call is missing a thought_signature in functionCall parts",
        )


def _is_said(content: Any) -> bool:
    return content["role"] == "user" and any("functionResponse" not in part for part in content["parts"])


def _results(contents: list[Any]) -> dict[str, str]:
    """City → what its tool said, where the last content has such."""
    results: dict[str, str] = {}
    for content, following in with_next(contents, {"parts": []}):
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        found: list[Any] = [part["functionResponse"] for part in following["parts"] if "functionResponse" in part]
        need(len(calls) == len(found), "the number of function responses must be that of the function calls")
        for call, response in zip(calls, found, strict=True):
            need(call["name"] == response["name"], "a response has its function's name")
            need(call.get("id") == response.get("id"), "a response has its call's id")
            results[call["args"]["city"]] = response["response"]["output"]
    return results if any("functionResponse" in part for part in contents[-1]["parts"]) else {}


def _image(blob: dict[str, Any]) -> bytes:
    need(blob["mimeType"] == "image/png", "the image is not as it was sent")
    return base64.b64decode(blob["data"].translate(_OF_URLS), validate=True)


def _part(**fields: Any) -> dict[str, Any]:
    return fields


def _calls(calls: tuple[Call, ...]) -> list[dict[str, Any]]:
    """Of calls at once the first has the signature."""
    made = [_part(functionCall={"id": call.id, "name": call.name, "args": call.arguments}) for call in calls]
    if made:
        made[0]["thoughtSignature"] = CALL_SIGNATURE
    return made


def _response(parts: list[Any], finish: str, usage: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": MODEL, "responseId": "mAitaLmkHPPlz7IP"}


def _event(payload: Any) -> bytes:
    return data_event(payload).replace(b"\n\n", b"\r\n\r\n")
