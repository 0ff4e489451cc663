"""LangChain's models for OpenAI and for Anthropic."""

import base64
from typing import Any

import pytest

from tests.e2e.matrix.stage import Stage
from tests.e2e.matrix.test_matrix import PNG, RESULTS
from tests.e2e.sdks.conftest import FILLED_IN, Weather
from tests.support.wires import script

pytestmark = [
    pytest.mark.sdks,
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # it never closes its connections
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(params=["openai", "anthropic"])
def chat(request: pytest.FixtureRequest, stage: Stage, model: str) -> Any:
    """A chat model of each kind in front of each wire."""
    if request.param == "openai":
        langchain_openai: Any = pytest.importorskip("langchain_openai", reason="make e2e-sdks")
        return langchain_openai.ChatOpenAI(
            model=model, base_url=f"{stage.site.url}/v1", api_key=stage.key, max_retries=0, max_tokens=4000
        )
    langchain_anthropic: Any = pytest.importorskip("langchain_anthropic", reason="make e2e-sdks")
    return langchain_anthropic.ChatAnthropic(
        model=model, base_url=stage.site.url, api_key=stage.key, max_retries=0, max_tokens=4000
    )


def text_of(message: Any) -> str:
    return message.text if isinstance(message.text, str) else message.text()


def weather(city: str, days: int) -> str:
    """Tells the weather."""
    return f"{RESULTS[city]}{'' if days else '?'}"


async def test_it_chats(chat: Any):
    message = await chat.ainvoke(script.HELLO)
    assert text_of(message) == script.TEXT
    assert message.usage_metadata["total_tokens"] == 130


async def test_it_streams(chat: Any):
    chunks = [chunk async for chunk in chat.astream(script.HELLO)]
    assert "".join(map(text_of, chunks)) == script.TEXT


async def test_it_uses_tools(chat: Any):
    messages: Any = pytest.importorskip("langchain_core.messages", reason="make e2e-sdks")
    able = chat.bind_tools([weather])
    said: list[Any] = [messages.HumanMessage(script.TOOL)]
    said.append(await able.ainvoke(said))
    said += [messages.ToolMessage(weather(**call["args"]), tool_call_id=call["id"]) for call in said[-1].tool_calls]
    assert text_of(await able.ainvoke(said)) == script.brought(RESULTS)


async def test_it_fills_in_forms(chat: Any):
    able = chat.with_structured_output(Weather, method="json_schema")
    assert await able.ainvoke(script.FORM) == FILLED_IN


async def test_it_shows_images(chat: Any):
    messages: Any = pytest.importorskip("langchain_core.messages", reason="make e2e-sdks")
    image = {"type": "image", "base64": base64.b64encode(PNG).decode(), "mime_type": "image/png"}
    message = await chat.ainvoke([messages.HumanMessage([{"type": "text", "text": script.SEE}, image])])
    assert script.seen(PNG) in text_of(message)
