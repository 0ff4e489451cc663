"""The inference endpoints under /proxy."""

from facade import anthropic_routes, gemini_routes, openai_routes
from facade.endpoint import Inference
from facade.route import Route
from facade.surfaces.proxy.surface import PROXY_ANTHROPIC, PROXY_GOOGLE, PROXY_OPENAI


def routes(inference: Inference) -> tuple[Route, ...]:
    return (
        *openai_routes.routes(inference, PROXY_OPENAI, "/proxy/openai/v1"),
        *anthropic_routes.routes(inference, PROXY_ANTHROPIC, "/proxy/anthropic/v1"),
        *gemini_routes.routes(inference, PROXY_GOOGLE, "/proxy/google/v1beta"),
        *gemini_routes.routes(inference, PROXY_GOOGLE, "/proxy/google/v1"),
    )
