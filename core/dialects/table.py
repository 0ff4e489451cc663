"""Every operation and the wire it is on. A new wire is a file, and its rows here."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from core.dialects.anthropic import caps as anthropic_caps
from core.dialects.anthropic import messages as anthropic_messages
from core.dialects.anthropic import sides as anthropic_sides
from core.dialects.anthropic.messages import COUNT_TOKENS
from core.dialects.anthropic.prompt_count import write_count
from core.dialects.anthropic.stream import MessageMeter
from core.dialects.anthropic.stream import first_failure as anthropic_failure
from core.dialects.bedrock import sides as bedrock_sides
from core.dialects.bedrock.converse import CONVERSE
from core.dialects.dialect import Dialect, NewMeter
from core.dialects.gemini import caps as gemini_caps
from core.dialects.gemini import embedding as gemini_embedding
from core.dialects.gemini import generate as gemini
from core.dialects.gemini import sides as gemini_sides
from core.dialects.gemini.prompt_count import write_count as gemini_count
from core.dialects.gemini.stream import GenerateMeter
from core.dialects.gemini.stream import first_failure as gemini_failure
from core.dialects.ollama import chat as ollama_chat
from core.dialects.ollama import sides as ollama_sides
from core.dialects.openai import caps as openai_caps
from core.dialects.openai import chat as openai_chat
from core.dialects.openai import embedding as openai_embedding
from core.dialects.openai import sides as openai_sides
from core.dialects.openai.failure import first_failure as openai_failure
from core.dialects.openai.foreign import without_foreign
from core.dialects.openai.stream import StreamMeter
from core.dialects.passthrough import endpoints, stream
from core.dialects.passthrough import request as passthrough
from core.dialects.passthrough.usage import answer_tokens as passthrough_tokens
from core.dialects.request import Request
from core.dialects.responses import caps as responses_caps
from core.dialects.responses import request as responses
from core.dialects.responses import sides as responses_sides
from core.dialects.responses.body import upstream_body as responses_body
from core.dialects.responses.stream import ResponseMeter
from core.dialects.responses.stream import first_failure as responses_failure
from core.dialects.responses.usage import answer_tokens as responses_tokens
from core.dialects.sides import CallerSide, EmbeddingCaller, EmbeddingProvider, ProviderSide

OPENAI = Dialect(
    title="OpenAI API",
    read_request=openai_chat.read_request,
    upstream_body=openai_chat.upstream_body,
    without_foreign=without_foreign,
    limited=openai_caps.limited,
    with_limit=openai_caps.with_limit,
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
    with_limit=openai_caps.with_limit,  # the name is the same
    prompt_tokens=anthropic_messages.prompt_tokens,
    answer_tokens=anthropic_messages.answer_tokens,
    meter=MessageMeter,
    first_failure=anthropic_failure,
)

RESPONSES = Dialect(
    title="OpenAI Responses API",
    read_request=responses.read_request,
    upstream_body=responses_body,
    limited=responses_caps.limited,
    with_limit=responses_caps.with_limit,
    prompt_tokens=responses.prompt_tokens,
    answer_tokens=responses_tokens,
    meter=ResponseMeter,
    first_failure=responses_failure,
)
GEMINI = Dialect(
    title="Gemini API",
    read_request=gemini.read_request,
    upstream_body=gemini.upstream_body,
    limited=gemini_caps.limited,
    with_limit=gemini_caps.with_limit,
    prompt_tokens=gemini.prompt_tokens,
    answer_tokens=gemini.answer_tokens,
    meter=GenerateMeter,
    first_failure=gemini_failure,
)


def _passed_through(title: str, meter: NewMeter = stream.event_meter) -> Dialect:
    """An endpoint whose requests are never translated."""
    return Dialect(
        title=title,
        read_request=passthrough.read_request,
        read_form=passthrough.read_form,
        upstream_body=passthrough.upstream_body,
        limited=passthrough.limited,
        prompt_tokens=passthrough.prompt_tokens,
        answer_tokens=passthrough_tokens,
        meter=meter,
        first_failure=openai_failure,
    )


IMAGES = _passed_through("OpenAI API for images", stream.picture_meter)
TRANSCRIPTS = _passed_through("OpenAI API for transcripts")
SPEECH = replace(
    _passed_through("OpenAI API for speech", stream.SpeechMeter),
    prompt_tokens=passthrough.characters,
    first_failure=stream.no_failure,
    stream_type="",
)

DIALECTS: Mapping[str, Dialect] = {
    openai_chat.CHAT: OPENAI,
    openai_chat.COMPLETION: OPENAI,
    openai_chat.EMBEDDING: OPENAI,
    anthropic_messages.MESSAGES: ANTHROPIC,
    anthropic_messages.COUNT_TOKENS: ANTHROPIC,
    responses.RESPONSES: RESPONSES,
    gemini.GENERATE: GEMINI,
    gemini.EMBED: GEMINI,
    gemini.EMBED_ONE: GEMINI,
    gemini.COUNT_TOKENS: GEMINI,
    endpoints.IMAGE: IMAGES,
    endpoints.IMAGE_EDIT: IMAGES,
    endpoints.SPEECH: SPEECH,
    endpoints.TRANSCRIPTION: TRANSCRIPTS,
    endpoints.TRANSLATION: TRANSCRIPTS,
    endpoints.MODERATION: _passed_through("OpenAI API for moderations"),
    endpoints.RERANK: _passed_through("rerank API"),
}

CALLERS: Mapping[str, CallerSide] = {
    **openai_sides.CALLERS,
    **anthropic_sides.CALLERS,
    **responses_sides.CALLERS,
    **gemini_sides.CALLERS,
}
"""Operation of a caller's → how it is translated from and to."""
PROVIDERS: Mapping[str, ProviderSide] = {
    CONVERSE: bedrock_sides.PROVIDER,
    ollama_chat.CHAT: ollama_sides.PROVIDER,
    **openai_sides.PROVIDERS,
    **anthropic_sides.PROVIDERS,
    **responses_sides.PROVIDERS,
    **gemini_sides.PROVIDERS,
}
"""Operation of a provider's → the same."""
COUNTERS: Mapping[str, Callable[[Request], bytes]] = {
    COUNT_TOKENS: write_count,
    gemini.COUNT_TOKENS: gemini_count,
}
"""Operation that is answered here where the provider has none of the kind → its answer; may raise InvalidArgument."""
EMBEDDING_CALLERS: Mapping[str, EmbeddingCaller] = {**openai_embedding.CALLERS, **gemini_embedding.CALLERS}
"""Operation of a caller's who asks for embeddings → how it is translated from and to."""
EMBEDDING_PROVIDERS: Mapping[str, EmbeddingProvider] = {**openai_embedding.PROVIDERS, **gemini_embedding.PROVIDERS}
"""Operation of a provider's that makes embeddings → the same."""


def prompt_tokens(request: Request) -> int:
    """Counts the tokens of a request's prompt, where the provider does not."""
    return DIALECTS[request.operation].prompt_tokens(request)
