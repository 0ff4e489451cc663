"""Gemini's own wire over HTTP."""

import json
from urllib.parse import urlsplit

import pytest

from core.clock import SystemClock
from core.dialects.gemini.generate import EMBED, EMBED_ONE, GENERATE
from core.dialects.openai.chat import CHAT
from core.errors import RefreshFailed
from core.providers.gemini import base_url
from core.providers.http_upstream import HttpUpstream
from core.providers.session import Session
from tests.support.http_proxy import serve_http_proxy
from tests.support.recorder import serve_recorder
from tests.support.targets import target


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("https://g.test", "g.test/v1beta"),
        ("https://g.test/v1beta/", "g.test/v1beta"),
        ("https://g.test/v1beta/openai/", "g.test/v1beta"),
        ("https://g.test/v1", "g.test/v1"),
        ("https://proxy.lan/gemini", "proxy.lan/gemini/v1beta"),
        ("https://proxy.lan/gemini/openai", "proxy.lan/gemini/v1beta"),
    ],
)
def test_one_form_of_every_address(given: str, stored: str):
    assert base_url(urlsplit(given)) == stored
    assert base_url(urlsplit(f"https://{stored}")) == stored


def test_an_address_with_a_query_is_refused_and_not_repeated():
    with pytest.raises(ValueError, match="query") as caught:
        base_url(urlsplit("https://g.test/v1beta?key=sesame"))
    assert "sesame" not in str(caught.value)


@pytest.mark.parametrize("below", ["/v1beta", "/v1beta/openai"])
async def test_requests_name_the_model_in_their_address(below: str):
    async with serve_recorder() as google, Session() as session:
        upstream = HttpUpstream(target("gemini", google.base_url + below, "g-1"), session, SystemClock(), {})
        assert CHAT not in upstream.operations
        await (await upstream.send(GENERATE, b'{"contents":[]}', model="gemini-a")).read()
        await (await upstream.send(GENERATE, b"{}", model="gemini-a", streamed=True)).read()
        await (await upstream.send(EMBED, b"{}", model="embedding-b")).read()
        await (await upstream.send(EMBED_ONE, b"{}", model="embedding-b")).read()
    assert google.lines == [
        "POST /v1beta/models/gemini-a:generateContent HTTP/1.1",
        "POST /v1beta/models/gemini-a:streamGenerateContent?alt=sse HTTP/1.1",
        "POST /v1beta/models/embedding-b:batchEmbedContents HTTP/1.1",
        "POST /v1beta/models/embedding-b:embedContent HTTP/1.1",
    ]
    assert google.asked[0].body == b'{"contents":[]}'
    assert google.asked[0].headers["x-goog-api-key"] == "g-1"
    assert "authorization" not in google.asked[0].headers


async def test_an_address_stays_as_it_is_behind_a_proxy():
    async with serve_recorder() as google, serve_http_proxy() as proxy, Session() as session:
        there = target("gemini", f"{google.base_url}/v1beta", "g-1")
        upstream = HttpUpstream(there, session, SystemClock(), {"HTTP_PROXY": proxy.url})
        await (await upstream.send(GENERATE, b"{}", model="tuned/a:b", streamed=True)).read()
    assert google.lines == ["POST /v1beta/models/tuned%2Fa%3Ab:streamGenerateContent?alt=sse HTTP/1.1"]
    assert len(proxy.asked) == 1


async def test_models_come_in_pages():
    async with serve_recorder() as google, Session() as session:
        upstream = HttpUpstream(target("gemini", f"{google.base_url}/v1beta", "g-1"), session, SystemClock(), {})
        first, second = "/v1beta/models?pageSize=1000", "/v1beta/models?pageSize=1000&pageToken=t"
        google.answers[first] = json.dumps({"models": [{"name": "models/a"}], "nextPageToken": "t"}).encode()
        google.answers[second] = json.dumps({"models": [{"name": "models/b"}, {"name": "models/a"}]}).encode()
        assert await upstream.models() == ["a", "b"]
        google.statuses[first] = 400
        with pytest.raises(RefreshFailed, match="400"):
            await upstream.models()
    assert google.lines[:2] == [f"GET {first} HTTP/1.1", f"GET {second} HTTP/1.1"]
    assert google.asked[0].headers["x-goog-api-key"] == "g-1"
