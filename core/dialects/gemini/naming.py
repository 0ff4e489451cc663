"""Names of fields: the wire takes both `systemInstruction` and `system_instruction`, and its own examples have both.

What comes in snake case is put into camel case before it is read. What the wire does not know by name
(arguments, schemas, labels) keeps its names, and no value changes its form.
"""

import re
from typing import Final

import msgspec

_NAMES: Final = (
    "system_instruction",
    "generation_config",
    "safety_settings",
    "cached_content",
    "service_tier",
    "tool_config",
    "function_declarations",
    "function_calling_config",
    "retrieval_config",
    "allowed_function_names",
    "parameters_json_schema",
    "response_json_schema",
    "response_mime_type",
    "response_schema",
    "response_modalities",
    "response_logprobs",
    "max_output_tokens",
    "candidate_count",
    "stop_sequences",
    "presence_penalty",
    "frequency_penalty",
    "thinking_config",
    "thinking_budget",
    "thinking_level",
    "include_thoughts",
    "speech_config",
    "image_config",
    "media_resolution",
    "video_metadata",
    "inline_data",
    "file_data",
    "mime_type",
    "file_uri",
    "function_call",
    "function_response",
    "thought_signature",
    "executable_code",
    "code_execution_result",
    "code_execution",
    "google_search",
    "google_search_retrieval",
    "url_context",
    "top_p",
    "top_k",
    "task_type",
    "output_dimensionality",
    "embed_content_config",
    "generate_content_request",
)
_SNAKE: Final = {name: re.sub("_(.)", lambda found: found[1].upper(), name) for name in _NAMES}
_SEEN: Final = re.compile(rb'"(?:%s)"\s*:' % "|".join(_NAMES).encode())
# What is inside of these has names of somebody else's.
_OPAQUE: Final = frozenset(
    {"args", "response", "parameters", "parametersJsonSchema", "responseJsonSchema", "responseSchema", "labels"}
)

_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def camelled(body: bytes) -> bytes:
    """The body with its fields' names in camel case; what is no JSON comes back as it is."""
    if b"_" not in body or _SEEN.search(body) is None:
        return body
    try:
        return bytes(_camelled(msgspec.Raw(body)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return body


def _camelled(raw: msgspec.Raw) -> msgspec.Raw:
    start = bytes(raw).lstrip()[:1]
    if start == b"{":
        fields: dict[str, msgspec.Raw] = {}
        for name, value in _decode_object(raw).items():
            known = _SNAKE.get(name, name)
            fields[known] = value if known in _OPAQUE else _camelled(value)
        return msgspec.Raw(_encode(fields))
    if start == b"[":
        return msgspec.Raw(_encode([_camelled(value) for value in _decode_list(raw)]))
    return raw
