"""Where a request went and what it used, as messages."""

from core.dialects.tokens import COUNTED, ESTIMATED, PROVIDER, Tokens
from core.routing.reply import Place
from llmrouter.v1 import router_pb2 as pb

_SOURCES = {
    PROVIDER: pb.TOKEN_SOURCE_PROVIDER,
    COUNTED: pb.TOKEN_SOURCE_COUNTED,
    ESTIMATED: pb.TOKEN_SOURCE_ESTIMATED,
}


def routing_message(request_id: str, place: Place, cost_nanousd: int | None = None) -> pb.Routing:
    """Where a request went. cost_nanousd: billionths of a US dollar, None where that is not known."""
    return pb.Routing(request_id=request_id, provider=place.provider, model=place.model, cost_nanousd=cost_nanousd)


def usage_message(tokens: Tokens) -> pb.TokenUsage:
    """The tokens of a request, the same as in its usage record."""
    return pb.TokenUsage(
        input_tokens=tokens.input,
        output_tokens=tokens.output,
        cached_input_tokens=tokens.cached_input,
        cache_write_tokens=tokens.cache_write,
        reasoning_tokens=tokens.reasoning,
        audio_input_tokens=tokens.audio_input,
        audio_output_tokens=tokens.audio_output,
        cache_write_1h_tokens=tokens.cache_write_1h,
        web_searches=tokens.web_searches,
        image_input_tokens=tokens.image_input,
        image_output_tokens=tokens.image_output,
        audio_ms=tokens.audio_ms,
        characters=tokens.characters,
        partial=tokens.partial,
        source=_SOURCES.get(tokens.source, pb.TOKEN_SOURCE_UNSPECIFIED),
    )
