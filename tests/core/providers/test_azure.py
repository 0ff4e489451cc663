"""Azure OpenAI: what its addresses look like, and what is sent there."""

from urllib.parse import urlsplit

import pytest

from core.clock import SystemClock
from core.dialects.openai.chat import CHAT, EMBEDDING
from core.dialects.responses.request import RESPONSES
from core.providers.azure import AZURE, AZURE_DEPLOYMENTS, base_url, wires
from core.providers.declared import DeclaredVendor, vendors_in_environment
from core.providers.http_upstream import HttpUpstream
from core.providers.session import Session
from tests.support.recorder import serve_recorder
from tests.support.targets import target

V1 = "r.openai.azure.com/openai/v1"
DATED = "r.openai.azure.com/openai/deployments?api-version=2024-10-21"
BODY = b'{"model":"gpt-prod"}'


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("https://r.openai.azure.com", V1),
        ("https://r.openai.azure.com/", V1),
        ("https://r.openai.azure.com/openai", V1),
        ("https://r.openai.azure.com/openai/v1/", V1),
        ("https://r.openai.azure.com/openai/v1/chat/completions", V1),
        ("https://r.openai.azure.com/openai/v1?api-version=preview", f"{V1}?api-version=preview"),
        ("https://r.openai.azure.com/?api-version=2024-10-21", DATED),
        ("https://r.openai.azure.com/openai?api-version=2024-10-21", DATED),
        ("https://r.openai.azure.com/openai/deployments/gpt-prod/chat/completions?api-version=2024-10-21", DATED),
        ("https://gateway.lan/llm/openai/v1", "gateway.lan/llm/openai/v1"),
        ("https://gateway.lan/openaiproxy/x", "gateway.lan/openaiproxy/x/openai/v1"),
        ("https://r.services.ai.azure.com", "r.services.ai.azure.com/openai/v1"),
    ],
)
def test_one_form_of_every_address(given: str, stored: str):
    assert base_url(urlsplit(given)) == stored
    assert base_url(urlsplit(f"https://{stored}")) == stored


@pytest.mark.parametrize(
    "given",
    [
        "https://r.openai.azure.com/openai/deployments/gpt-prod",
        "https://r.openai.azure.com/openai/deployments/gpt-prod?api-version=",
        "https://r.openai.azure.com/openai?api-version=sesame",
        "https://r.openai.azure.com/openai?api-key=sesame",
        "https://r.openai.azure.com/openai?api-version=2024-10-21&key=sesame",
    ],
)
def test_other_addresses_are_refused_and_not_repeated(given: str):
    with pytest.raises(ValueError, match="api-version") as caught:
        base_url(urlsplit(given))
    assert "sesame" not in str(caught.value)


def test_the_address_tells_the_wire():
    assert wires(f"https://{V1}") == (AZURE,)
    assert wires(f"https://{DATED}") == (AZURE_DEPLOYMENTS,)


def test_the_environment_declares_it_as_the_sdk_has_it():
    environ = {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://r.openai.azure.com/"}
    assert vendors_in_environment(environ) == [DeclaredVendor("azure", "k", f"https://{V1}")]
    environ["OPENAI_API_VERSION"] = "2024-10-21"
    assert vendors_in_environment(environ) == [DeclaredVendor("azure", "k", f"https://{DATED}")]
    with pytest.raises(ValueError, match=r"^AZURE_OPENAI_ENDPOINT: "):
        vendors_in_environment(environ | {"OPENAI_API_VERSION": "soon"})


async def test_the_present_api_has_the_model_in_the_body():
    async with serve_recorder() as azure, Session() as session:
        upstream = HttpUpstream(target("azure", f"{azure.base_url}/openai/v1", "k-1"), session, SystemClock(), {})
        for operation in (CHAT, RESPONSES):
            await (await upstream.send(operation, BODY, model="gpt-prod", streamed=True)).read()
    assert azure.lines == ["POST /openai/v1/chat/completions HTTP/1.1", "POST /openai/v1/responses HTTP/1.1"]
    assert azure.asked[0].headers["api-key"] == "k-1"
    assert "authorization" not in azure.asked[0].headers
    assert azure.asked[0].body == BODY


async def test_the_api_of_old_has_it_in_the_address():
    async with serve_recorder() as azure, Session() as session:
        there = f"{azure.base_url}/openai/deployments?api-version=2024-10-21"
        upstream = HttpUpstream(target("azure", there, "k-1"), session, SystemClock(), {})
        assert RESPONSES not in upstream.operations
        for operation, model in ((CHAT, "gpt-prod"), (EMBEDDING, "vectors/1")):
            await (await upstream.send(operation, BODY, model=model)).read()
    assert azure.lines == [
        "POST /openai/deployments/gpt-prod/chat/completions?api-version=2024-10-21 HTTP/1.1",
        "POST /openai/deployments/vectors%2F1/embeddings?api-version=2024-10-21 HTTP/1.1",
    ]
    assert azure.asked[0].headers["api-key"] == "k-1"


async def test_its_models_are_those_that_somebody_named():
    async with serve_recorder() as azure, Session() as session:
        upstream = HttpUpstream(target("azure", f"{azure.base_url}/openai/v1", "k-1"), session, SystemClock(), {})
        assert await upstream.models() == []
    assert azure.asked == []
