"""OpenAI's inference endpoints under /api/v1, with the console document's errors."""

from facade import openai_routes
from facade.endpoint import Inference
from facade.route import Route
from facade.surfaces.openai.surface import OPENAI


def routes(inference: Inference) -> tuple[Route, ...]:
    return openai_routes.routes(inference, OPENAI, "/api/v1")
