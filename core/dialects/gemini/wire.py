"""What the Gemini wire is made of, as far as both of its sides know it: contents, their parts, and answers.

Fields that are not here are not read; what a request loses by that the readers find out for themselves.
Wire: https://ai.google.dev/api/generate-content
"""

from typing import Annotated, Final

import msgspec

from core.dialects.canonical import NO_JSON
from core.dialects.gemini.usage import Usage

USER: Final = "user"
MODEL: Final = "model"

Index = Annotated[int, msgspec.Meta(ge=0, le=65_535)]


class Blob(msgspec.Struct, rename="camel", omit_defaults=True):
    """Bytes in the body."""

    mime_type: str | None = None
    data: str | None = None  # base64, of either alphabet


class FileData(msgspec.Struct, rename="camel", omit_defaults=True):
    """Bytes elsewhere: at a public address, or in the provider's own store."""

    mime_type: str | None = None
    file_uri: str | None = None


class FunctionCall(msgspec.Struct, omit_defaults=True):
    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = NO_JSON


class ResponsePart(msgspec.Struct, rename="camel", omit_defaults=True):
    """Of a function's response: what is no JSON."""

    inline_data: Blob | None = None
    file_data: FileData | None = None


class FunctionResponse(msgspec.Struct, omit_defaults=True):
    id: str | None = None
    name: str | None = None
    response: msgspec.Raw = NO_JSON
    parts: list[ResponsePart] | None = None


class Part(msgspec.Struct, rename="camel", omit_defaults=True):
    """One of text, inline_data, file_data, function_call and function_response is set."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    video_metadata: msgspec.Raw = NO_JSON
    media_resolution: msgspec.Raw = NO_JSON


class Content(msgspec.Struct, omit_defaults=True):
    role: str | None = None
    parts: list[Part] | None = None


class LogprobsCandidate(msgspec.Struct, rename="camel", omit_defaults=True):
    token: str | None = None
    log_probability: float | None = None


class TopCandidates(msgspec.Struct):
    candidates: list[LogprobsCandidate] | None = None


class LogprobsResult(msgspec.Struct, rename="camel", omit_defaults=True):
    chosen_candidates: list[LogprobsCandidate] | None = None
    top_candidates: list[TopCandidates] | None = None


class Candidate(msgspec.Struct, rename="camel", omit_defaults=True):
    content: Content | None = None
    finish_reason: str | None = None
    index: Index | None = None
    logprobs_result: LogprobsResult | None = None


class PromptFeedback(msgspec.Struct, rename="camel", omit_defaults=True):
    block_reason: str | None = None


class Response(msgspec.Struct, rename="camel", omit_defaults=True):
    """A whole answer, or one chunk of a streamed one."""

    candidates: list[Candidate] | None = None
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: Usage | None = None
    model_version: str | None = None
    response_id: str | None = None
    error: msgspec.Raw = NO_JSON


def given(raw: msgspec.Raw) -> bool:
    """Whether there is any JSON, null apart."""
    value = bytes(raw)
    return bool(value) and value != b"null"
