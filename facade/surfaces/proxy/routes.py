"""The inference endpoints under /proxy."""

from facade import anthropic_routes, openai_routes
from facade.endpoint import Inference
from facade.route import Route
from facade.surfaces.proxy.surface import PROXY_ANTHROPIC, PROXY_OPENAI


def routes(inference: Inference) -> tuple[Route, ...]:
    return (
        *openai_routes.routes(inference, PROXY_OPENAI, "/proxy/openai/v1"),
        *anthropic_routes.routes(inference, PROXY_ANTHROPIC, "/proxy/anthropic/v1"),
    )
