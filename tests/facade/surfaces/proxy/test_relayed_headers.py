"""A gRPC caller's headers on their way to a provider: they can't become a head of its own making."""

import json

import pytest

from llmrouter.v1 import router_pb2 as pb
from tests.core.rpc.test_relay import connect
from tests.facade.surfaces.proxy.conftest import Proxy
from tests.support.anthropic_upstream import MODEL, VERSIONS

VERSION = sorted(VERSIONS)[0]


@pytest.mark.parametrize(
    "smuggled",
    [
        ("anthropic-beta", "a\r\nX-Smuggled: yes"),
        ("anthropic-beta", "a\nX-Smuggled: yes"),
        ("anthropic-beta", "a\r\n\r\nPOST /v1/messages HTTP/1.1\r\nX-Smuggled: yes"),
        ("anthropic-beta\r\nX-Smuggled", "yes"),
        ("X-Smuggled", "yes"),
    ],
)
async def test_no_header_smuggles_another(proxy: Proxy, smuggled: tuple[str, str]):
    body = json.dumps({"model": MODEL, "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    name, value = smuggled
    opened = pb.CallOpen(
        operation=pb.OPERATION_MESSAGES,
        body=body,
        headers=[pb.Header(name="anthropic-version", value=VERSION), pb.Header(name=name, value=value)],
    )
    async with connect(proxy.router.inference) as client:
        await client.send(pb.CallerFrame(call_id=1, open=opened))
        assert (await client.last(1)).answer.head.status == 200
    request = await proxy.upstream.received()
    assert request.headers["anthropic-version"] == VERSION
    assert not {"x-smuggled", "anthropic-beta"} & request.headers.keys()
    assert request.body == body
    assert len(proxy.upstream.requests) == 1
