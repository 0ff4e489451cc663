"""What a request may cost at most.

    input    no text has more tokens than bytes, and no prompt more than the model's context
    output   what the request names, times its choices; else what the model makes at most

The true cost is nearly always far below; the difference is free again when the request is settled.
"""

import re

import msgspec

from core.dialects.gemini.generate import GENERATE
from core.dialects.passthrough import endpoints
from core.dialects.passthrough.endpoints import SPEECH
from core.dialects.request import Request
from core.dialects.responses.request import RESPONSES
from core.ledger.prices import Price
from core.money import cost_at_most, tokens_within
from core.providers.output_limits import most_output
from core.routing.wanted import Wanted

SLACK = 8
"""Output tokens beyond the maximum for which is held too: providers do not all count the last ones alike."""

_LEAST_OUTPUT = 16  # less than this is no answer
_ENOUGH_OUTPUT = 1024  # for this much others are asked to give back what they do not need
_ANY = 10**12  # tokens: more than anything makes
_FRAME = 64  # tokens around a prompt that are not in its text
_TOOLS = 1024  # what vendors say to a model beside the tools that it may call
_ATTACHED = 65_536  # the most that a picture or a file costs of which only the address is in the body
_SEARCHES = 10  # that a model makes for one answer; most requests say how many, and hardly any allows more
_FOUND = 200_000  # tokens of what they find
# Letters written as \\u0061: no encoder does that. A quotation mark and a backslash have to be escaped.
_NEEDLESS = re.compile(rb"\\u00(2[013-9a-fA-F]|[3467][0-9a-fA-F]|5[0-9abd-fABD-F])")
_ATTACHMENTS = (b'"image_url"', b'"file"', b'"image"', b'"document"', b'"file_url"', b'"fileUri"', b'"file_uri"')
# Tools of the Gemini wire that bring what they find to the prompt.
_GOOGLES = (b'"googleSearch', b'"google_search', b'"googleMaps', b'"google_maps', b'"urlContext', b'"url_context')
# What a request of the Responses wire may have the provider do or take in, of which its body says nothing more.
_HOSTED = (b'"file_search', b'"code_interpreter', b'"mcp', b'"image_generation', b'"computer', b'"tool_search')
# What these make, listen to or read again for each document is in no relation to the size of their bodies.
_UNBOUNDED = endpoints.ALL - {endpoints.MODERATION, SPEECH}
# A chat that names nothing else has no tools and no searches of the provider's.
_PLAIN = frozenset(
    (
        *("model", "messages", "system", "stream", "stream_options", "n", "stop", "stop_sequences", "seed", "user"),
        *("max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "logprobs", "top_logprobs"),
        *("presence_penalty", "frequency_penalty", "response_format", "reasoning_effort", "thinking", "metadata"),
        *("store", "service_tier"),
    )
)


class WorstCase(msgspec.Struct):
    """The bounds of a request at one provider; money in nano-dollars."""

    input_cost: int
    output_rate: int  # nano-dollars per million tokens
    choices: int
    output: int  # tokens of one choice
    named: bool  # whether the request itself names that maximum
    most: int  # all of it

    @property
    def least(self) -> int:
        """What is of use at all: all of it where the request says how much it wants."""
        return self.most if self.named else self._cost(min(self.output, _LEAST_OUTPUT))

    @property
    def enough(self) -> int:
        return self.most if self.named else self._cost(min(self.output, _ENOUGH_OUTPUT))

    def output_for(self, amount: int) -> int:
        """How many output tokens of one choice an amount pays for, at most as many as asked for."""
        if not self.output_rate or not self.output:
            return self.output
        tokens = tokens_within(amount - self.input_cost, self.output_rate)
        return min(self.output, max(0, (tokens - SLACK) // self.choices))

    def tokens_for(self, amount: int) -> int:
        """How many output tokens of all choices an amount pays for."""
        return tokens_within(amount - self.input_cost, self.output_rate) if self.output_rate else _ANY

    def _cost(self, output: int) -> int:
        tokens = output * self.choices + SLACK if output else 0
        return self.input_cost + cost_at_most(tokens, self.output_rate)


def is_bounded(request: Request, price: Price) -> bool:
    """Whether a request's cost has a bound that is known before: pictures, sounds and ranked documents have none."""
    if request.operation == SPEECH:
        return price.is_free or (price.characters is not None and not price.by_token)
    return request.operation not in _UNBOUNDED or price.is_free


def worst_case(request: Request, price: Price, model: str, asked: Wanted) -> WorstCase:
    """The bounds of a request at a provider that calls its model so."""
    plain = _PLAIN.issuperset(request.fields)
    body = _unescaped(request.body)
    size = _input_bound(request, body, price, plain)
    input_cost = cost_at_most(size, _input_rate(price, body, size))
    if not plain:
        input_cost += _searches(price, body, size)
        if price.characters is not None and request.operation == SPEECH:
            input_cost += cost_at_most(len(request.body), price.characters.at(size))
    if not asked.choices:
        return WorstCase(input_cost, 0, 1, 0, True, input_cost)
    output = asked.named
    if output is None:
        if asked.beside:  # which the provider is told under a name that it knows
            output = request.output_limit
        else:
            output = min(most_output(model), request.output_limit or most_output(model))
    if asked.beside > output:
        output = asked.beside
    rate = price.output.at(size) if plain else _output_rate(price, request, size)
    most = input_cost + (cost_at_most(output * asked.choices + SLACK, rate) if output else 0)
    return WorstCase(input_cost, rate, asked.choices, output, asked.named is not None or asked.beside > 0, most)


def _input_bound(request: Request, body: bytes, price: Price, plain: bool) -> int:
    """body: without needless escapes."""
    fields = request.fields
    bound, window = len(request.body) + _FRAME, price.context_window
    if not plain and ("mcp_servers" in fields or "cachedContent" in fields or "cached_content" in fields):
        return max(bound, window or 0) + _FOUND
    if not plain and ("tools" in fields or "functions" in fields or "web_search_options" in fields):
        bound += _TOOLS
        if b'"web_search' in body or b'"web_fetch' in body:  # its findings come to the prompt, more than once
            return max(bound, window or 0) + _FOUND
        if request.operation == GENERATE and any(mark in body for mark in _GOOGLES):
            return max(bound, window or 0) + _FOUND
        if request.operation == RESPONSES and any(mark in body for mark in _HOSTED):
            return max(bound, window or 0) + _FOUND
    if request.operation == RESPONSES and "prompt" in fields:  # which lies at the provider
        return max(bound, window or 0) + _FOUND
    if body.count(b"[") > 1 or "messages" not in fields:
        bound += _FOUND * body.count(b'"file_id"')  # likewise, and of any size
    # With one list, which is that of the messages, each of these is a text.
    if (body.count(b"[") > 1 or "messages" not in fields) and b"http" in body:
        bound += _ATTACHED * sum(map(body.count, _ATTACHMENTS))
    return bound if window is None or bound < window else window


def _unescaped(body: bytes) -> bytes:
    """The body without escapes that nothing needs, which would hide what is looked for."""
    return _NEEDLESS.sub(lambda found: bytes.fromhex(found[1].decode()), body) if b"\\u00" in body else body


def _searches(price: Price, body: bytes, size: int) -> int:
    """What a provider's own searches may cost."""
    if price.web_search is None or b'"web_search' not in body:
        return 0
    return cost_at_most(_SEARCHES, price.web_search.at(size))


def _input_rate(price: Price, body: bytes, size: int) -> int:
    rate = price.input.at(size)
    if price.cache_write is not None:
        rate = max(rate, price.cache_write.at(size))
    if price.cache_write_1h is not None and b'"1h"' in body:
        rate = max(rate, price.cache_write_1h.at(size))
    if price.audio_input is not None and (b'"input_audio"' in body or b'"audio/' in body):
        rate = max(rate, price.audio_input.at(size))
    return rate


def _output_rate(price: Price, request: Request, size: int) -> int:
    rate = price.output.at(size)
    if price.audio_output is not None and "audio" in request.fields:
        return max(rate, price.audio_output.at(size))
    return rate
