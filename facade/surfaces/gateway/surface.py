"""The gateway: OpenAI's and Anthropic's clients and the gateway's own document, under /v1.

Failures are OpenAI's error object, and at Anthropic's endpoints Anthropic's.
"""

from facade import anthropic_errors, openai_errors
from facade.surface import Surface

GATEWAY = Surface(
    name="gateway", prefix="/v1/", render=openai_errors.render, error_schema=openai_errors.SCHEMA, title="Gateway"
)
MESSAGES = Surface(
    name="messages",
    prefix="/v1/messages/",
    render=anthropic_errors.render,
    error_schema=anthropic_errors.SCHEMA,
    title="Anthropic-compatible",
    error_event=anthropic_errors.EVENT,
    request_id=anthropic_errors.REQUEST_ID,
)
