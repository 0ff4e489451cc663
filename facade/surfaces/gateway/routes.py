"""OpenAI's and Anthropic's inference endpoints under /v1, each with its API's own errors."""

from facade import anthropic_routes, openai_routes
from facade.endpoint import Inference
from facade.route import Route
from facade.surfaces.gateway.surface import GATEWAY, MESSAGES


def routes(inference: Inference) -> tuple[Route, ...]:
    return (
        *openai_routes.routes(inference, GATEWAY, "/v1"),
        *anthropic_routes.routes(inference, MESSAGES, "/v1"),
    )
