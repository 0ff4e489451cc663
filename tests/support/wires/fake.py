"""What the fakes of all wires do alike: complain, understand, answer, break off."""

import base64
import json
from abc import abstractmethod
from typing import Any, Final

from tests.support.openai_upstream import LOCALHOST, Answer, OpenAIUpstream, Received, sse, whole
from tests.support.wires.script import RETRY_AFTER, Asked, Failure, Reply, reply

KEY: Final = "the-key-of-the-upstream"


class Complaint(ValueError):
    """A request is not what the wire's documentation says; the message says why."""


class WireFake(OpenAIUpstream):
    """A provider of one wire."""

    stream_type = "text/event-stream"

    def __init__(self) -> None:
        super().__init__()
        self.complaints: list[str] = []  # what was wrong with requests, for the test to fail with
        self.shortcuts: list[str] = []  # what is allowed, but would not be needed if nothing had been lost

    @property
    def origin(self) -> str:
        return f"http://{LOCALHOST}:{self.port}"

    def properly(self, request: Received) -> Answer:
        """What the provider answers."""
        try:
            asked = self.understood(request)
            said = reply(asked)
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            complaint = f"{request.path}: {type(error).__name__}: {error}: {request.body.decode()}"
            self.complaints.append(complaint)
            return self._failed(Failure(400), str(error))
        if isinstance(said, Failure):
            return self._failed(said)
        if asked.streamed:
            return sse(self.events(said, request), content_type=self.stream_type)
        return whole(json.dumps(self.answer(said, request)).encode())

    def _failed(self, failure: Failure, message: str = "") -> Answer:
        status, body = self.error(failure.status, message)
        headers = {"Retry-After": RETRY_AFTER} if status == 429 else {}
        return whole(json.dumps(body).encode(), status=status, headers=headers)

    @abstractmethod
    def understood(self, request: Received) -> Asked:
        """What is asked for. Raises Complaint."""

    @abstractmethod
    def answer(self, said: Reply, request: Received) -> Any:
        """The body of a whole answer."""

    @abstractmethod
    def events(self, said: Reply, request: Received) -> list[bytes]:
        """The events of a stream, one that breaks with its error."""

    @abstractmethod
    def error(self, status: int, message: str) -> tuple[int, Any]:
        """Status and body of an error. message: "" for the script's."""


def need(true: object, why: str) -> None:
    """Raises Complaint."""
    if not true:
        raise Complaint(why)


def need_none(faults: list[str]) -> None:
    """Raises Complaint for all of them."""
    if faults:
        raise Complaint("; ".join(faults))


def with_next(turns: list[Any], nothing: Any) -> list[tuple[Any, Any]]:
    """Each turn with the one behind it; nothing: what stands behind the last."""
    return list(zip(turns, [*turns[1:], nothing], strict=True))


def image_in(url: str) -> bytes:
    """The bytes in a data: URL of a PNG. Raises Complaint."""
    need(url.startswith("data:image/png;base64,"), f"the image is at {url[:40]}")
    return base64.b64decode(url.partition(",")[2], validate=True)


def data_event(payload: Any, name: str = "") -> bytes:
    """A server-sent event."""
    line = f"data: {json.dumps(payload)}\n\n"
    return (f"event: {name}\n{line}" if name else line).encode()
