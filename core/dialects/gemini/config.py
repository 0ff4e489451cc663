"""`generationConfig`: the numbers of a request, the form of its answer and its thinking, in both directions.

Source: https://ai.google.dev/api/generate-content#GenerationConfig
"""

from collections.abc import Callable
from typing import Final

import msgspec

from core.dialects.canonical import NO_JSON, Chat, Effort, Format, Reasoning
from core.dialects.effort import budget_of
from core.dialects.gemini.models import always_thinks, most_thinking, thinks_in_degrees
from core.dialects.gemini.schema import json_schema
from core.dialects.gemini.wire import given
from core.dialects.losses import Losses
from core.dialects.sides import Manner

_MOST_STOPS: Final = 5
_LEAST: Final = 512
_JSON: Final = "application/json"
# The highest that every model with levels has stands for the two above it, which few have.
_LEVELS: Final[dict[Effort, str]] = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
_EFFORTS: Final[dict[str, Effort]] = {
    "MINIMAL": "minimal",
    "LOW": "low",
    "MEDIUM": "medium",
    "HIGH": "high",
    "XHIGH": "xhigh",
}


class ThinkingConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class GenerationConfig(msgspec.Struct, rename="camel", omit_defaults=True):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_mime_type: str | None = None
    response_json_schema: msgspec.Raw = NO_JSON
    response_schema: msgspec.Raw = NO_JSON
    thinking_config: ThinkingConfig | None = None
    media_resolution: str | None = None


_KNOWN: Final = frozenset(GenerationConfig.__struct_encode_fields__) - {"mediaResolution"}  # which is its reader's
_NOTHING: Final = (b"null", b"[]", b"{}", b"false", b'["TEXT"]', b'"MEDIA_RESOLUTION_UNSPECIFIED"')

decode_config = msgspec.json.Decoder(GenerationConfig | None, strict=False).decode
_decode_fields: Callable[[msgspec.Raw], dict[str, msgspec.Raw] | None] = msgspec.json.Decoder(
    dict[str, msgspec.Raw] | None
).decode
_decode_schema = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def write_config(chat: Chat, losses: Losses, manner: Manner) -> GenerationConfig:
    """For a provider."""
    if len(chat.stop) > _MOST_STOPS:
        losses.lose("stop", f"it takes {_MOST_STOPS} at most")
    config = GenerationConfig(
        temperature=chat.temperature,
        top_p=chat.top_p,
        top_k=chat.top_k,
        candidate_count=chat.n,
        max_output_tokens=chat.max_output,
        stop_sequences=chat.stop[:_MOST_STOPS] or None,
        seed=chat.seed,
        presence_penalty=chat.presence_penalty,
        frequency_penalty=chat.frequency_penalty,
        response_logprobs=chat.logprobs,
        logprobs=chat.top_logprobs,
    )
    if chat.format is not None and chat.format.kind != "text":
        config.response_mime_type = _JSON
        if chat.format.kind == "schema":
            config.response_json_schema = _described(chat.format, losses)
    if chat.reasoning is not None:
        config.thinking_config = _thinking(chat, chat.reasoning, losses, manner)
    return config


def _described(wanted: Format, losses: Losses) -> msgspec.Raw:
    """The schema. Its name says nothing to the model and has no place here; what describes it stands in it."""
    if not wanted.description:
        return wanted.schema
    try:
        fields = _decode_schema(wanted.schema)
    except (ValueError, RecursionError):
        fields = {"description": NO_JSON}
    if "description" in fields:
        losses.lose("format.description", "the schema has a description of its own")
        return wanted.schema
    return msgspec.Raw(_encode({**fields, "description": wanted.description}))


def _thinking(chat: Chat, wanted: Reasoning, losses: Losses, manner: Manner) -> ThinkingConfig | None:
    off = wanted.effort == "none" or wanted.budget == 0
    # Elsewhere thoughts that were asked for come unasked, and with them the proof that the next turn needs.
    unsaid = wanted.shown is None and not off and (wanted.effort is not None or wanted.budget is not None)
    config = ThinkingConfig(True if unsaid else wanted.shown)
    if off and always_thinks(chat.model):
        losses.lose("reasoning", "the model always thinks")
    elif wanted.budget is not None:  # every model that thinks takes one, if only for older callers
        config.thinking_budget = wanted.budget
    elif wanted.effort is None:
        pass
    elif thinks_in_degrees(chat.model):
        config.thinking_level = _LEVELS[wanted.effort]
    else:
        budget = min(budget_of(wanted.effort, chat.max_output or manner.most_output), most_thinking(chat.model))
        # The answer has to have room in the output too, beside the smallest budget that all these models take.
        config.thinking_budget = budget if not chat.max_output else min(budget, max(_LEAST, chat.max_output * 4 // 5))
    return None if config == ThinkingConfig() else config


def read_config(chat: Chat, raw: msgspec.Raw | None, others: dict[str, msgspec.Raw]) -> None:
    """Of a caller. Raises msgspec.DecodeError."""
    config = None if raw is None else decode_config(raw)
    if raw is None or config is None:
        return
    for name, value in (_decode_fields(raw) or {}).items():
        if name not in _KNOWN and bytes(value) not in _NOTHING:
            others[f"generationConfig.{name}"] = value
    chat.temperature, chat.top_p, chat.top_k = config.temperature, config.top_p, config.top_k
    chat.n, chat.max_output, chat.seed = config.candidate_count, config.max_output_tokens, config.seed
    chat.stop = config.stop_sequences or []
    chat.presence_penalty, chat.frequency_penalty = config.presence_penalty, config.frequency_penalty
    chat.logprobs, chat.top_logprobs = config.response_logprobs, config.logprobs
    chat.format = _format(config, others)
    chat.reasoning = _reasoning(config.thinking_config, others)


def _format(config: GenerationConfig, others: dict[str, msgspec.Raw]) -> Format | None:
    schema = config.response_json_schema
    if not given(schema) and given(config.response_schema):
        schema = json_schema(config.response_schema)
    kind = config.response_mime_type or ""
    if kind == _JSON:
        return Format("schema", name="response", schema=schema) if given(schema) else Format("json")
    if kind not in ("", "text/plain"):
        others["generationConfig.responseMimeType"] = msgspec.Raw(_encode(kind))
    return None


def _reasoning(config: ThinkingConfig | None, others: dict[str, msgspec.Raw]) -> Reasoning | None:
    if config is None or config == ThinkingConfig():
        return None
    wanted = Reasoning(budget=config.thinking_budget, shown=config.include_thoughts)
    level = (config.thinking_level or "").upper()
    if level in _EFFORTS:
        wanted = Reasoning(effort=_EFFORTS[level], shown=config.include_thoughts)
        if config.thinking_budget is not None:
            others["generationConfig.thinkingConfig.thinkingBudget"] = msgspec.Raw(_encode(config.thinking_budget))
    elif level not in ("", "THINKING_LEVEL_UNSPECIFIED"):
        others["generationConfig.thinkingConfig.thinkingLevel"] = msgspec.Raw(_encode(level))
    return wanted
