"""The Gemini API's inference endpoints, under /v1beta and /v1."""

from facade import gemini_routes
from facade.endpoint import Inference
from facade.route import Route
from facade.surfaces.gemini.surface import GEMINI


def routes(inference: Inference) -> tuple[Route, ...]:
    return (*gemini_routes.routes(inference, GEMINI, "/v1beta"), *gemini_routes.routes(inference, GEMINI, "/v1"))
