"""The proxy of the cost-control document: OpenAI's API under /proxy/openai, Anthropic's under /proxy/anthropic,
Google's under /proxy/google.

A failure is what the document says, `{"detail": "…"}`, and the error object of the API in one, so that
people and SDKs both understand it.
"""

from typing import Any

from facade import anthropic_errors, gemini_errors, openai_errors
from facade.problem import Problem
from facade.schema import STRING
from facade.surface import Schema, Surface

# The document has no 402 and no 429 for it: a key that has spent its budget may not go on.
_STATUSES = {"BUDGET_EXCEEDED": 403}


def _openai(problem: Problem) -> dict[str, Any]:
    return {"detail": problem.message, **openai_errors.render(problem)}


def _anthropic(problem: Problem) -> dict[str, Any]:
    return {"detail": problem.message, **anthropic_errors.render(problem, _STATUSES)}


def _google(problem: Problem) -> dict[str, Any]:
    return {"detail": problem.message, **gemini_errors.render(problem, _STATUSES)}


def _google_event(problem: Problem) -> dict[str, Any]:
    """Without the detail: the SDKs know an error inside a stream by its first field."""
    return gemini_errors.render(problem, _STATUSES)


def _with_detail(schema: Schema) -> Schema:
    return {
        **schema,
        "required": ["detail", *schema["required"]],
        "properties": {"detail": STRING, **schema["properties"]},
    }


PROXY_OPENAI = Surface(
    name="proxy_openai",
    prefix="/proxy/",
    render=_openai,
    error_schema=_with_detail(openai_errors.SCHEMA),
    title="Proxy of OpenAI's API",
    statuses=_STATUSES,
)
PROXY_ANTHROPIC = Surface(
    name="proxy_anthropic",
    prefix="/proxy/anthropic/",
    render=_anthropic,
    error_schema=_with_detail(anthropic_errors.SCHEMA),
    title="Proxy of Anthropic's API",
    error_event=anthropic_errors.EVENT,
    request_id=anthropic_errors.REQUEST_ID,
    statuses=_STATUSES,
)
PROXY_GOOGLE = Surface(
    name="proxy_google",
    prefix="/proxy/google/",
    render=_google,
    error_schema=_with_detail(gemini_errors.SCHEMA),
    title="Proxy of Google's API",
    render_event=_google_event,
    query_key="key",
    statuses=_STATUSES,
)
