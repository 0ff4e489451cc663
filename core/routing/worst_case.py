"""What a request may cost at most.

    input    no text has more tokens than bytes, and no prompt more than the model's context
    output   what the request names, times its choices; else what the model makes at most

The true cost is nearly always far below; the difference is free again when the request is settled.
"""

import msgspec

from core.dialects.output_limit import choices, has_output, named_output
from core.dialects.request import Request
from core.ledger.prices import Price
from core.money import cost_at_most, tokens_within
from core.providers.output_limits import most_output

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
_ATTACHMENTS = (b'"image_url"', b'"file"', b'"image"', b'"document"')


class WorstCase(msgspec.Struct):
    """The bounds of a request at one provider; money in nano-dollars."""

    input_cost: int
    output_rate: int  # nano-dollars per million tokens
    choices: int
    output: int  # tokens of one choice
    named: bool  # whether the request itself names that maximum

    @property
    def least(self) -> int:
        """What is of use at all: all of it where the request says how much it wants."""
        return self.most if self.named else self._cost(min(self.output, _LEAST_OUTPUT))

    @property
    def enough(self) -> int:
        return self.most if self.named else self._cost(min(self.output, _ENOUGH_OUTPUT))

    @property
    def most(self) -> int:
        return self._cost(self.output)

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


def worst_case(request: Request, price: Price, model: str) -> WorstCase:
    """The bounds of a request. Raises InvalidArgument where its maximum is not a number."""
    size = _input_bound(request, price)
    input_cost = cost_at_most(size, _input_rate(price, request, size)) + _searches(price, request, size)
    if not has_output(request):
        return WorstCase(input_cost, 0, 1, 0, named=True)
    named = named_output(request)
    output = named if named is not None else min(most_output(model), request.output_limit or most_output(model))
    return WorstCase(input_cost, _output_rate(price, request, size), choices(request), output, named is not None)


def _input_bound(request: Request, price: Price) -> int:
    body, fields = request.body, request.fields
    bound, window = len(body) + _FRAME, price.context_window
    if "tools" in fields or "functions" in fields or "web_search_options" in fields:
        bound += _TOOLS
        if b'"web_search' in body:  # its findings come to the prompt, more than once
            return max(bound, window or 0) + _FOUND
    if b"http" in body:
        bound += _ATTACHED * sum(map(body.count, _ATTACHMENTS))
    return bound if window is None or bound < window else window


def _searches(price: Price, request: Request, size: int) -> int:
    """What a provider's own searches may cost."""
    if price.web_search is None or b'"web_search' not in request.body:
        return 0
    return cost_at_most(_SEARCHES, price.web_search.at(size))


def _input_rate(price: Price, request: Request, size: int) -> int:
    rates = [price.input.at(size)]
    if price.cache_write is not None:
        rates.append(price.cache_write.at(size))
    if price.cache_write_1h is not None and b'"1h"' in request.body:
        rates.append(price.cache_write_1h.at(size))
    if price.audio_input is not None and b'"input_audio"' in request.body:
        rates.append(price.audio_input.at(size))
    return max(rates)


def _output_rate(price: Price, request: Request, size: int) -> int:
    rate = price.output.at(size)
    if price.audio_output is not None and "audio" in request.fields:
        return max(rate, price.audio_output.at(size))
    return rate
