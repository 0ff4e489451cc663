"""Chat → the body of Converse, and of ConverseStream, which is the same.

The model is not in it, and whether the answer is streamed neither: both are in the path.
"""

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from core.dialects.bedrock.converse import Json
from core.dialects.bedrock.families import Family, family_of
from core.dialects.bedrock.forms import text_format
from core.dialects.bedrock.messages import Conversation
from core.dialects.bedrock.thinking import think
from core.dialects.bedrock.tools import tool_config
from core.dialects.canonical import Chat
from core.dialects.losses import Losses
from core.dialects.sides import Manner
from core.errors import InvalidArgument

_TIERS: Final[Mapping[str, str]] = {
    "default": "default",
    "standard": "default",
    "standard_only": "default",
    "priority": "priority",
    "flex": "flex",
    "reserved": "reserved",
}
_FIXED: Final = "this model has its own, always or while it thinks"
_LEAST_TOP_P: Final = 0.95  # that Claude takes while it thinks
_MOST_METADATA: Final = 16
_METADATA: Final = re.compile(r"[a-zA-Z0-9\s:_@$#=/+,.-]{0,256}", re.ASCII)

_encode = msgspec.json.Encoder().encode


def write_chat(chat: Chat, losses: Losses, manner: Manner) -> bytes:
    """The body of a request. Raises InvalidArgument."""
    family = family_of(chat.model)
    conversation = Conversation(chat, family, losses)
    if not conversation.messages:
        raise InvalidArgument("messages: the model's provider needs a message that is no instruction", field="messages")
    fields: Json = {}
    output: Json = {}
    body: Json = {"messages": conversation.messages}
    if conversation.system:
        body["system"] = conversation.system
    thinks = think(chat, family, manner.most_output, fields, output, losses)
    samples = family.samples and not (thinks and family.claude)
    if config := _inference(chat, losses, samples=samples):
        body["inferenceConfig"] = config
    if form := text_format(chat.format, family, losses):
        output["textFormat"] = form
    tools = tool_config(chat, conversation, family, losses, thinks=thinks)
    if tools is not None:
        body["toolConfig"] = tools
    _top_k(chat.top_k, family, fields, losses, samples=samples)
    if fields:
        body["additionalModelRequestFields"] = fields
    if output:
        body["outputConfig"] = output
    if chat.stop and family.tells_stop:
        body["additionalModelResponseFieldPaths"] = ["/stop_sequence"]
    _about(chat, body, losses)
    _lose_others(chat, losses)
    return _encode(body)


def _inference(chat: Chat, losses: Losses, *, samples: bool) -> Json:
    """What Converse has for all models. samples: how it chooses its words can be changed."""
    config: Json = {}
    if chat.max_output is not None:
        config["maxTokens"] = chat.max_output
    if chat.temperature is not None:
        if chat.temperature > 1:
            losses.lose("temperature", "it is at most 1 there")
        elif not samples and chat.temperature != 1:
            losses.lose("temperature", _FIXED)
        else:
            config["temperature"] = chat.temperature
    if chat.top_p is not None:
        if not samples and chat.top_p < _LEAST_TOP_P:
            losses.lose("top_p", _FIXED)
        else:
            config["topP"] = chat.top_p
    if chat.stop:
        config["stopSequences"] = chat.stop
    return config


def _top_k(top_k: int | None, family: Family, fields: Json, losses: Losses, *, samples: bool) -> None:
    if top_k is None:
        return
    if not family.top_k:
        losses.lose("top_k")
    elif not samples:
        losses.lose("top_k", _FIXED)
    else:
        name, *inner = family.top_k
        fields[name] = {inner[0]: top_k} if inner else top_k


def _about(chat: Chat, body: Json, losses: Losses) -> None:
    """What is about the request, and not its answer. A cache's key is a hint that nobody needs there."""
    if chat.service_tier not in ("", "auto"):
        tier = _TIERS.get(chat.service_tier)
        if tier is None:
            losses.lose("service_tier", "the provider has no such tier")
        else:
            body["serviceTier"] = {"type": tier}
    if not chat.metadata:
        return
    if len(chat.metadata) <= _MOST_METADATA and all(
        key and _METADATA.fullmatch(key) and _METADATA.fullmatch(value) for key, value in chat.metadata.items()
    ):
        body["requestMetadata"] = chat.metadata
    else:
        losses.lose("metadata", "it must be short, few, and of plain characters there")


def _lose_others(chat: Chat, losses: Losses) -> None:
    """What Converse has no word for."""
    if chat.n is not None and chat.n != 1:
        losses.lose("n", "there is one answer")
    if chat.seed is not None:
        losses.lose("seed")
    if chat.presence_penalty:
        losses.lose("presence_penalty")
    if chat.frequency_penalty:
        losses.lose("frequency_penalty")
    if bytes(chat.logit_bias) not in (b"", b"{}"):
        losses.lose("logit_bias")
    if chat.logprobs:
        losses.lose("logprobs")
    if chat.top_logprobs:
        losses.lose("top_logprobs")
    if chat.verbosity not in ("", "medium"):
        losses.lose("verbosity")
    if chat.user:
        losses.lose("user")
