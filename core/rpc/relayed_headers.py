"""The headers of a relayed call that are heard: those that go on to a provider, and those for the router itself.

The former end up in an HTTP head, so nothing else may.
"""

from core.dialects.passthrough.form import is_form
from core.providers.wire import CONTENT_TYPE, PASSED, Headers
from core.routing.passage import DROP_UNSUPPORTED
from llmrouter.v1 import router_pb2 as pb

_MOST = 16
_HEARD = PASSED | {DROP_UNSUPPORTED}
_MAX_VALUE = 8190  # as HTTP servers bound a header


def passed_on(opened: pb.CallOpen) -> Headers:
    """Of a call's headers those that somebody understands and that can be sent; names in lower case."""
    headers = [(header.name.lower(), header.value) for header in opened.headers[:_MOST]]
    return [(name, value) for name, value in headers if name in _HEARD and _sendable(value) and _said(name, value)]


def _sendable(value: str) -> bool:
    return 0 < len(value) <= _MAX_VALUE and value.isascii() and value.isprintable()


def _said(name: str, value: str) -> bool:
    """Whether it says anything: a body that is no form is read as JSON, and sent as that, whatever is said of it."""
    return name != CONTENT_TYPE or is_form(value)
