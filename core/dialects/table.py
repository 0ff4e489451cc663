"""Every operation and the wire it is on. A new wire is a file, and its rows here."""

from collections.abc import Mapping

from core.dialects.anthropic import caps as anthropic_caps
from core.dialects.anthropic import messages as anthropic_messages
from core.dialects.anthropic.stream import MessageMeter
from core.dialects.anthropic.stream import first_failure as anthropic_failure
from core.dialects.dialect import Dialect
from core.dialects.openai import caps as openai_caps
from core.dialects.openai import chat as openai_chat
from core.dialects.openai.failure import first_failure as openai_failure
from core.dialects.openai.stream import StreamMeter
from core.dialects.request import Request
from core.dialects.sides import CallerSide, ProviderSide

OPENAI = Dialect(
    title="OpenAI API",
    read_request=openai_chat.read_request,
    upstream_body=openai_chat.upstream_body,
    limited=openai_caps.limited,
    prompt_tokens=openai_chat.prompt_tokens,
    answer_tokens=openai_chat.answer_tokens,
    meter=StreamMeter,
    first_failure=openai_failure,
)
ANTHROPIC = Dialect(
    title="Anthropic API",
    read_request=anthropic_messages.read_request,
    upstream_body=anthropic_messages.upstream_body,
    limited=anthropic_caps.limited,
    prompt_tokens=anthropic_messages.prompt_tokens,
    answer_tokens=anthropic_messages.answer_tokens,
    meter=MessageMeter,
    first_failure=anthropic_failure,
)

DIALECTS: Mapping[str, Dialect] = {
    openai_chat.CHAT: OPENAI,
    openai_chat.COMPLETION: OPENAI,
    openai_chat.EMBEDDING: OPENAI,
    anthropic_messages.MESSAGES: ANTHROPIC,
    anthropic_messages.COUNT_TOKENS: ANTHROPIC,
}

CALLERS: Mapping[str, CallerSide] = {}
"""Operation of a caller's → how it is translated from and to."""
PROVIDERS: Mapping[str, ProviderSide] = {}
"""Operation of a provider's → the same."""


def prompt_tokens(request: Request) -> int:
    """Counts the tokens of a request's prompt, where the provider does not."""
    return DIALECTS[request.operation].prompt_tokens(request)
