"""Lists of models under /v1, which OpenAI's clients have there too: Google's are told by what only they send."""

from facade.call import Call

WORDS = "Callers with the header `x-goog-api-key` or `x-goog-api-client` are answered as Google's API has it."


def is_googles(call: Call) -> bool:
    """Whether a client of Google's API calls."""
    return "x-goog-api-key" in call.headers or "x-goog-api-client" in call.headers or "key" in call.query
