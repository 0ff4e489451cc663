"""What a request may have used of which no answer had come when it ended: hung up on, cut off, out of time.

A provider bills what it has done, and tells nobody who has gone. So this is an estimate, and marked as one.
"""

from core.dialects.output_limit import COUNTS, has_output
from core.dialects.request import Request
from core.dialects.table import prompt_tokens
from core.dialects.tokens import ESTIMATED, NO_TOKENS, Tokens
from core.errors import InvalidArgument
from core.providers.output_limits import most_output
from core.routing.wanted import Wanted, wanted

_PACE = 100  # tokens a second, as fast models have it


def unanswered(request: Request, model: str, asked: Wanted | None, seconds: float) -> Tokens:
    """What a provider may have done in so many seconds: it read the prompt; and made an answer, where one was to come
    in one piece. Of a stream it would have shown the beginning.
    """
    if request.operation in COUNTS:
        return NO_TOKENS
    made = 0
    if not request.streamed and has_output(request):
        try:
            asked = asked or wanted(request)
        except InvalidArgument:  # the provider's business, where no budget made it ours
            asked = Wanted(None, 1)
        most = asked.named or request.output_limit or most_output(model)
        made = min(int(seconds * _PACE), most) * asked.choices
    return Tokens(input=prompt_tokens(request), output=made, source=ESTIMATED)
