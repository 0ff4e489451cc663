"""OpenAI's inference endpoints under /v1, with OpenAI's own errors."""

from facade import openai_routes
from facade.endpoint import Inference
from facade.route import Route
from facade.surfaces.gateway.surface import GATEWAY


def routes(inference: Inference) -> tuple[Route, ...]:
    return openai_routes.routes(inference, GATEWAY, "/v1")
