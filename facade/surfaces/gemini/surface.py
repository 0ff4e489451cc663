"""The Gemini API, where Google's clients look for it: under /v1beta, and under /v1 beside OpenAI's and Anthropic's."""

from facade import gemini_errors
from facade.surface import Surface

GEMINI = Surface(
    name="gemini",
    prefix="/v1beta/",
    render=gemini_errors.render,
    error_schema=gemini_errors.SCHEMA,
    title="Gemini-compatible",
    query_key="key",
)
