"""Vertex AI: what its addresses look like, and what is sent there with which token."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from core.clock import SystemClock
from core.dialects.anthropic.messages import COUNT_TOKENS, MESSAGES
from core.dialects.gemini import generate as gemini
from core.errors import ProviderError, RefreshFailed
from core.providers.declared import DeclaredVendor, vendors_in_environment
from core.providers.fields import checked_key
from core.providers.http_upstream import HttpUpstream
from core.providers.session import Session
from core.providers.vertex import base_url, count, messages
from tests.support.google_tokens import GoogleTokens, serve_google_tokens
from tests.support.http_proxy import serve_http_proxy
from tests.support.recorder import Recorder, serve_recorder
from tests.support.targets import target

BELOW = "/v1/projects/p/locations/europe-west1"
PLACE = f"europe-west1-aiplatform.googleapis.com{BELOW}"
GOOGLE = f"{BELOW}/publishers/google/models"
CLAUDE = f"{BELOW}/publishers/anthropic/models"


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (f"https://{PLACE}", PLACE),
        (f"https://{PLACE}/", PLACE),
        (f"https://{PLACE}/publishers/google/models/gemini-a:generateContent", PLACE),
        ("https://h.lan/projects/p/locations/l", "h.lan/v1/projects/p/locations/l"),
        ("https://h.lan/a/v1beta1/projects/p/locations/l", "h.lan/a/v1beta1/projects/p/locations/l"),
        (
            "https://global-aiplatform.googleapis.com/v1/projects/p/locations/global",
            "aiplatform.googleapis.com/v1/projects/p/locations/global",
        ),
        (
            "https://eu-aiplatform.googleapis.com/v1/projects/p/locations/eu",
            "aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu",
        ),
    ],
)
def test_one_form_of_every_address(given: str, stored: str):
    assert base_url(urlsplit(given)) == stored
    assert base_url(urlsplit(f"https://{stored}")) == stored


@pytest.mark.parametrize("below", ["", "/v1/projects/sesame", f"{BELOW}/sesame", f"{BELOW}?key=sesame"])
def test_other_addresses_are_refused_and_not_repeated(below: str):
    with pytest.raises(ValueError, match="project and location") as caught:
        base_url(urlsplit(f"https://europe-west1-aiplatform.googleapis.com{below}"))
    assert "sesame" not in str(caught.value)


def test_the_environment_declares_both_kinds():
    environ = {"VERTEXAI_PROJECT": "p", "VERTEXAI_LOCATION": "europe-west1"}
    assert vendors_in_environment(environ) == [DeclaredVendor("vertex", "", f"https://{PLACE}")]
    environ = {
        "ANTHROPIC_VERTEX_PROJECT_ID": "p",
        "CLOUD_ML_REGION": "europe-west1",
        "ANTHROPIC_VERTEX_CREDENTIALS": "{}",
    }
    assert vendors_in_environment(environ) == [DeclaredVendor("vertex-anthropic", "{}", f"https://{PLACE}")]
    assert vendors_in_environment({"CLOUD_ML_REGION": "europe-west1"}) == []


@pytest.fixture
async def tokens(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GoogleTokens]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with serve_google_tokens() as tokens:
        yield tokens


@pytest.fixture
async def vertex() -> AsyncIterator[Recorder]:
    async with serve_recorder() as vertex:
        yield vertex


@pytest.fixture
async def session() -> AsyncIterator[Session]:
    async with Session() as session:
        yield session


def upstream(type_: str, vertex: Recorder, tokens: GoogleTokens, session: Session, proxy: str = "") -> HttpUpstream:
    there = target(type_, vertex.base_url + BELOW, checked_key(tokens.key))
    return HttpUpstream(there, session, SystemClock(), {"HTTP_PROXY": proxy})


async def test_googles_models(vertex: Recorder, tokens: GoogleTokens, session: Session):
    google = upstream("vertex", vertex, tokens, session)
    assert google.operations == {gemini.GENERATE, gemini.COUNT_TOKENS}
    await (await google.send(gemini.GENERATE, b'{"contents":[]}', model="gemini-a")).read()
    await (await google.send(gemini.GENERATE, b"{}", model="gemini-a", streamed=True)).read()
    await (await google.send(gemini.COUNT_TOKENS, b"{}", model="gemini-a")).read()
    assert vertex.lines == [
        f"POST {GOOGLE}/gemini-a:generateContent HTTP/1.1",
        f"POST {GOOGLE}/gemini-a:streamGenerateContent?alt=sse HTTP/1.1",
        f"POST {GOOGLE}/gemini-a:countTokens HTTP/1.1",
    ]
    assert {asked.headers["authorization"] for asked in vertex.asked} == {"Bearer token-1"}
    assert not any("x-goog-api-key" in asked.headers for asked in vertex.asked)
    assert vertex.asked[0].body == b'{"contents":[]}'


async def test_anthropics_models(vertex: Recorder, tokens: GoogleTokens, session: Session):
    claude = upstream("vertex-anthropic", vertex, tokens, session)
    body = b'{"model":"claude-a@1","stream":true,"max_tokens":1.0}'
    headers = [("anthropic-beta", "b"), ("anthropic-version", "2023-06-01")]
    await (await claude.send(MESSAGES, body, headers, model="claude-a@1", streamed=True)).read()
    await (await claude.send(MESSAGES, body, model="claude-a@1")).read()
    await (await claude.send(COUNT_TOKENS, b'{"model":"claude-a@1"}', model="claude-a@1")).read()
    assert vertex.lines == [
        f"POST {CLAUDE}/claude-a%401:streamRawPredict HTTP/1.1",
        f"POST {CLAUDE}/claude-a%401:rawPredict HTTP/1.1",
        f"POST {CLAUDE}/count-tokens:rawPredict HTTP/1.1",
    ]
    streamed, _, counted = vertex.asked
    assert streamed.body == b'{"stream":true,"max_tokens":1.0,"anthropic_version":"vertex-2023-10-16"}'
    assert counted.json == {"model": "claude-a@1", "anthropic_version": "vertex-2023-10-16"}
    assert streamed.headers["anthropic-beta"] == "b"
    assert "anthropic-version" not in streamed.headers
    assert streamed.headers["authorization"] == "Bearer token-1"


async def test_behind_a_proxy_it_is_the_same(vertex: Recorder, tokens: GoogleTokens, session: Session):
    async with serve_http_proxy() as proxy:
        claude = upstream("vertex-anthropic", vertex, tokens, session, proxy.url)
        await (await claude.send(MESSAGES, b'{"model":"m"}', model="m")).read()
    assert len(proxy.asked) == 1
    assert vertex.lines == [f"POST {CLAUDE}/m:rawPredict HTTP/1.1"]
    assert vertex.asked[0].headers["authorization"] == "Bearer token-1"
    assert vertex.asked[0].json == {"anthropic_version": "vertex-2023-10-16"}


async def test_its_models_are_those_that_somebody_named_but_its_key_is_tried(
    vertex: Recorder, tokens: GoogleTokens, session: Session
):
    google = upstream("vertex", vertex, tokens, session)
    assert await google.models() == []
    assert vertex.asked == []
    assert len(tokens.asked) == 1
    tokens.refuses = True
    with pytest.raises(RefreshFailed, match="access token"):
        await upstream("vertex", vertex, tokens, session).models()
    with pytest.raises(ProviderError, match="access token"):
        await upstream("vertex", vertex, tokens, session).send(gemini.GENERATE, b"{}", model="m")
    assert vertex.asked == []


def test_a_body_that_names_its_version_keeps_it():
    assert messages(b'{"anthropic_version":"later","model":"m"}') == b'{"anthropic_version":"later"}'
    assert count(b'{"anthropic_version":"later","model":"m"}') == b'{"anthropic_version":"later","model":"m"}'
