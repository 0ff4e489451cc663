"""The dialects of callers."""

from collections.abc import Mapping

from tests.e2e.matrix.callers.caller import Caller
from tests.e2e.matrix.callers.chat import ChatCaller
from tests.e2e.matrix.callers.completions import CompletionsCaller
from tests.e2e.matrix.callers.generate import GenerateCaller
from tests.e2e.matrix.callers.messages import MessagesCaller
from tests.e2e.matrix.callers.responses import ResponsesCaller

CALLERS: Mapping[str, Caller] = {
    "chat": ChatCaller(),
    "completions": CompletionsCaller(),
    "responses": ResponsesCaller(),
    "messages": MessagesCaller(),
    "generate": GenerateCaller(),
}
"""By the names that the matrix has for them."""
