"""The part of AdminService that keeps webhooks."""

from typing import Any
from urllib.parse import urlsplit

from core import inputs
from core.deps import Deps
from core.errors import InvalidArgument, NoChanges, NotFound
from core.ids import random_text
from core.rpc import masks
from core.rpc.budget_message import webhook_message
from core.store import webhooks
from llmrouter.v1 import budget_pb2

_MOST = 20
_MAX_URL = 2000


class WebhookAdministration:
    """Where to tell of budgets."""

    deps: Deps

    async def ListWebhooks(
        self, request: budget_pb2.ListWebhooksRequest, context: Any
    ) -> budget_pb2.ListWebhooksResponse:
        async with self.deps.database.read() as connection:
            found = await webhooks.every(connection)
        return budget_pb2.ListWebhooksResponse(webhooks=map(webhook_message, found))

    async def CreateWebhook(
        self, request: budget_pb2.CreateWebhookRequest, context: Any
    ) -> budget_pb2.CreateWebhookResponse:
        deps = self.deps
        url, secret = _url(request.url), f"whsec_{random_text(32)}"
        async with deps.database.write() as connection:
            if len(await webhooks.every(connection)) >= _MOST:
                raise InvalidArgument(f"there are {_MOST} webhooks, which is the most; delete one first")
            made = await webhooks.add(connection, url, deps.cipher.encrypt(secret), deps.clock.now())
        return budget_pb2.CreateWebhookResponse(webhook=webhook_message(made), secret=secret)

    async def UpdateWebhook(
        self, request: budget_pb2.UpdateWebhookRequest, context: Any
    ) -> budget_pb2.UpdateWebhookResponse:
        fields = masks.fields_to_change(request, ("url", "enabled"))
        if not fields:
            raise NoChanges
        values: dict[str, Any] = {}
        if "url" in fields:
            values["url"] = _url(request.url)
        if "enabled" in fields:
            values["enabled"] = request.enabled
        async with self.deps.database.write() as connection:
            changed = await webhooks.update(connection, request.id, self.deps.clock.now(), **values)
        if changed is None:
            raise NotFound
        return budget_pb2.UpdateWebhookResponse(webhook=webhook_message(changed))

    async def DeleteWebhook(
        self, request: budget_pb2.DeleteWebhookRequest, context: Any
    ) -> budget_pb2.DeleteWebhookResponse:
        async with self.deps.database.write() as connection:
            if not await webhooks.remove(connection, request.id):
                raise NotFound
        return budget_pb2.DeleteWebhookResponse()


def _url(text: str) -> str:
    """An address that may be called. Raises InvalidArgument."""
    text = inputs.line(text, "url", least=1, most=_MAX_URL)
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.username is None and parts.port != 0
    except ValueError:
        usable = False
    if not usable or " " in text:
        raise InvalidArgument("url must be an http or https address without a user in it", field="url")
    return text
