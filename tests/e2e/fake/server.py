"""The process of the fake provider: `python -m tests.e2e.fake.server`; it prints its port,
and ends with its standard input.

    /v1/…                          OpenAI's API, for the key KEY
    POST /control/let?name=…       lets so many more events of the streams of that name through
    GET  /control/arrived?name=…   waits until a request of that name is there, and tells its body
    GET  /control/hung_up?name=…   waits until a client of one went away before its answer's end

A request is named what its field "x_hold" says; a stream with that field waits before each event.
"""

import asyncio
import json
import sys
from collections import defaultdict

from aiohttp import web

from tests.e2e.fake import wire
from tests.e2e.fake.wire import Body

LOCALHOST = "127.0.0.1"
KEY = "sk-fake-provider"

# After how many events a stream of a failing model fails.
_FAILS_AFTER = 3


class Held:
    """The requests of one name."""

    def __init__(self) -> None:
        self.passes = asyncio.Semaphore(0)
        self.arrived: asyncio.Queue[Body] = asyncio.Queue()
        self.hung_up: asyncio.Queue[None] = asyncio.Queue()


class FakeProvider:
    """Answers as OpenAI does, to clients that read no other documentation than OpenAI's."""

    def __init__(self) -> None:
        self._held: defaultdict[str, Held] = defaultdict(Held)

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/models", self._models),
                web.post("/v1/{operation:.+}", self._operation),
                web.post("/control/let", self._let),
                web.get("/control/arrived", self._arrived),
                web.get("/control/hung_up", self._hung_up),
            ]
        )
        return app

    async def _models(self, request: web.Request) -> web.Response:
        return _stranger(request) or web.json_response(wire.models())

    async def _operation(self, request: web.Request) -> web.StreamResponse:
        if (refusal := _stranger(request)) is not None:
            return refusal
        match request.match_info["operation"]:
            case "chat/completions":
                return await self._answer(request, "messages", chats=True)
            case "completions":
                return await self._answer(request, "prompt", chats=False)
            case "embeddings":
                body: Body = await request.json()
                return _refusal(body, "input") or web.json_response(wire.embeddings(body), headers=_HEADERS)
            case _:
                return web.json_response(wire.error("Invalid URL", "invalid_request_error", None), status=404)

    async def _answer(self, request: web.Request, prompt: str, *, chats: bool) -> web.StreamResponse:
        body: Body = await request.json()
        name = str(body.get("x_hold", ""))
        if name:
            self._held[name].arrived.put_nowait(body)
        try:
            if (refusal := _refusal(body, prompt)) is not None:
                return refusal
            if body["model"] == wire.SILENT_MODEL:
                await asyncio.Event().wait()
            if body.get("stream"):
                return await self._stream(request, body, name, chats=chats)
            return web.json_response(wire.chat(body) if chats else wire.completion(body), headers=_HEADERS)
        except (asyncio.CancelledError, ConnectionError):
            if name:
                self._held[name].hung_up.put_nowait(None)
            raise

    async def _stream(self, request: web.Request, body: Body, name: str, *, chats: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8", **_HEADERS})
        await response.prepare(request)
        for number, event in enumerate(wire.events(body, chats=chats)):
            if name:
                await self._held[name].passes.acquire()
            if number == _FAILS_AFTER and body["model"] == wire.BREAKING_MODEL:
                assert request.transport is not None
                request.transport.abort()
                return response
            if number == _FAILS_AFTER and body["model"] == wire.ERRING_MODEL:
                await response.write(wire.error_event())
                break
            await response.write(event)
        await response.write_eof()
        return response

    async def _let(self, request: web.Request) -> web.Response:
        for _ in range(int(request.query.get("count", "1"))):
            self._held[request.query["name"]].passes.release()
        return web.json_response({})

    async def _arrived(self, request: web.Request) -> web.Response:
        return web.json_response(await self._held[request.query["name"]].arrived.get())

    async def _hung_up(self, request: web.Request) -> web.Response:
        await self._held[request.query["name"]].hung_up.get()
        return web.json_response({})


_HEADERS = {"x-request-id": "req_of_the_fake_provider", "openai-organization": "fake"}


def _stranger(request: web.Request) -> web.Response | None:
    """The error answer to a request without the right key."""
    if request.headers.get("Authorization") == f"Bearer {KEY}":
        return None
    said = wire.error("Incorrect API key provided.", "invalid_request_error", "invalid_api_key")
    return web.json_response(said, status=401)


def _refusal(body: Body, prompt: str) -> web.Response | None:
    """The error answer to a request that deserves one."""
    model = str(body.get("model"))
    if model.startswith("answers-"):
        status = int(model.removeprefix("answers-"))
        headers = {"Retry-After": wire.RETRY_AFTER} if status == 429 else {}
        said = wire.error(f"the fake provider says {status}", "fake_error", f"code_{status}")
        return web.json_response(said, status=status, headers=_HEADERS | headers)
    if model not in wire.MODELS:
        said = wire.error(f"The model `{model}` does not exist", "invalid_request_error", "model_not_found")
        return web.json_response(said, status=404)
    if prompt not in body:
        said = wire.error(f"Missing required parameter: '{prompt}'.", "invalid_request_error", None, prompt)
        return web.json_response(said, status=400)
    return None


async def _serve() -> None:
    runner = web.AppRunner(FakeProvider().app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, LOCALHOST, 0, backlog=1024)
    await site.start()
    print(json.dumps({"port": runner.addresses[0][1]}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve())
