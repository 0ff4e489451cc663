"""Inference RPCs whose callers went away while the gate was still asking who they are.

An RPC that was cancelled so early never reached the pipeline; where its credential counts, it has its
usage record nevertheless, as everything that reached the router does.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.message import Message

from core.auth import Principal
from core.dialects.openai.chat import CHAT, COMPLETION, EMBEDDING
from core.errors import RouterError
from core.routing.reply import Ask
from core.routing.run import Pipeline

_SERVICE = "/llmrouter.v1.RouterService/"

# Each inference RPC, and where its request names the model.
_RPCS: dict[str, tuple[str, Callable[[Any], str]]] = {
    f"{_SERVICE}CompleteChat": (CHAT, lambda request: request.chat.model),
    f"{_SERVICE}StreamChat": (CHAT, lambda request: request.chat.model),
    f"{_SERVICE}CompleteText": (COMPLETION, lambda request: request.text.model),
    f"{_SERVICE}StreamText": (COMPLETION, lambda request: request.text.model),
    f"{_SERVICE}Embed": (EMBEDDING, lambda request: request.model),
}


class Forsaken:
    """Accounts for them, in the background."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._accounting: set[asyncio.Task[None]] = set()

    def note(
        self, method: str, request: Any, request_id: str, surface: str, principal: Callable[[], Awaitable[Principal]]
    ) -> None:
        """An RPC was cancelled. request: its message, or what stands for one that can't be read.

        principal: asks once more who the caller is.
        """
        if method not in _RPCS:
            return
        operation, model_of = _RPCS[method]
        model = model_of(request) if isinstance(request, Message) else ""
        work = self._account(operation, model, request_id, surface, principal)
        self._accounting.add(task := asyncio.get_running_loop().create_task(work))
        task.add_done_callback(self._accounting.discard)

    async def _account(
        self, operation: str, model: str, request_id: str, surface: str, principal: Callable[[], Awaitable[Principal]]
    ) -> None:
        try:
            who = await principal()
        except RouterError:
            return  # nobody's request never reached the router
        self._pipeline.hung_up(Ask(request_id, operation, surface, who, body=b""), model)
