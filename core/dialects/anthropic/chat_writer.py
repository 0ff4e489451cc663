"""A Chat as the body of /v1/messages, for a provider of Anthropic's wire.

What the wire can't say is a loss, and so refused: audio, names of speakers, seed, several answers, log
probabilities, penalties, biases, verbosity, metadata beside the user, and what the model itself does not take
(models.py). Not a loss: `cache_key`, which is a hint for caches that Anthropic's marks make needless; the name of
an answer's schema; an image's detail, but for `low`; `strict: false`.

Wire: https://platform.claude.com/docs/en/api/messages
"""

from typing import Any, Final

import msgspec

from core.dialects.anthropic.models import abilities
from core.dialects.anthropic.thinking_writer import write_thinking
from core.dialects.anthropic.tools_writer import write_format, write_tools
from core.dialects.anthropic.turns_writer import Turns
from core.dialects.canonical import Chat
from core.dialects.losses import Losses
from core.dialects.sides import Manner
from core.errors import InvalidArgument

_ANTHROPIC: Final = "anthropic"
_EMPTY: Final = frozenset({b"", b"null", b"{}"})

_encode = msgspec.json.Encoder().encode


def write_chat(chat: Chat, losses: Losses, manner: Manner) -> bytes:
    """The body. Raises InvalidArgument for what can't be said."""
    can = abilities(chat.model)
    turns = Turns(chat, losses, system_turns=can.system_turns and manner.vendor == _ANTHROPIC)
    if not turns.messages:
        raise InvalidArgument("messages: the model's provider needs a message that is no instruction", field="messages")
    body: dict[str, Any] = {
        "model": chat.model,
        "max_tokens": chat.max_output or manner.most_output,
        "messages": turns.messages,
    }
    if turns.system:
        body["system"] = turns.system
    if chat.stream:
        body["stream"] = True
    forced = write_tools(body, chat, can, losses)
    write_thinking(body, chat, can, losses, forced=forced)
    write_format(body, chat, can)
    _stop(body, chat, losses)
    if chat.user:
        body["metadata"] = {"user_id": chat.user}
    _serve(body, chat, losses)
    _lose(chat, losses)
    return _encode(body)


def _stop(body: dict[str, Any], chat: Chat, losses: Losses) -> None:
    if not chat.stop:
        return
    said = [sequence for sequence in chat.stop if sequence.strip()]
    if len(said) != len(chat.stop):
        losses.lose("stop", "it does not stop at white space alone")
    if said:
        body["stop_sequences"] = said


def _serve(body: dict[str, Any], chat: Chat, losses: Losses) -> None:
    if chat.service_tier == "default":
        body["service_tier"] = "standard_only"
    elif chat.service_tier not in ("", "auto"):
        losses.lose("service_tier", "it has auto and default")


def _lose(chat: Chat, losses: Losses) -> None:
    """What the wire has no words for; values that mean nothing are none."""
    if chat.n is not None and chat.n > 1:
        losses.lose("n", "it gives one answer")
    if chat.seed is not None:
        losses.lose("seed")
    for name in ("presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"):
        if getattr(chat, name):
            losses.lose(name)
    if bytes(chat.logit_bias) not in _EMPTY:
        losses.lose("logit_bias")
    if chat.verbosity not in ("", "medium"):
        losses.lose("verbosity")
    if chat.metadata:
        losses.lose("metadata", "it keeps nothing but the user")
