"""The body of a request for a provider that speaks the Responses wire itself.

It passes to the letter but for the model's name. What a request refers to by an id, an earlier response or an
item of one, the router has put in its place by now (state.py); what only the router understands is left out.
"""

from typing import Any

from core.dialects.request import Request, encode, fields_of, with_model
from core.dialects.responses import state


def upstream_body(request: Request, model: str, *, ask_usage: bool) -> bytes:
    """The body for a provider that calls the model `model`; the usage comes unasked."""
    del ask_usage
    stop_stream = not request.streamed and bytes(request.fields.get("stream", b"false")) not in (b"false", b"null")
    cleaning = state.needs_cleaning(request)
    body = None if stop_stream or cleaning else with_model(request, model)
    if body is not None:
        return body
    fields: dict[str, Any] = {**fields_of(request.body), "model": model}
    if cleaning and bytes(fields.get("input", b"")).startswith(b"["):
        fields["input"] = state.for_provider(state.own_items(request), restored=request.restored)
    if stop_stream:
        fields["stream"] = False
        fields.pop("stream_options", None)
    return encode(fields)
