"""Google's client: generateContent, which is also the reference for the fake of that wire."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.matrix.callers.caller import PARAMETERS
from tests.e2e.matrix.stage import Stage
from tests.e2e.matrix.test_matrix import PNG, RESULTS
from tests.e2e.sdks.conftest import FILLED_IN, Weather
from tests.support.wires import script

pytestmark = [
    pytest.mark.sdks,
    pytest.mark.asyncio(loop_scope="package"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the client's own affair
]
LIMIT = {"max_output_tokens": 4000}


@pytest_asyncio.fixture(loop_scope="package")
async def models(stage: Stage) -> AsyncIterator[Any]:
    genai: Any = pytest.importorskip("google.genai", reason="make e2e-sdks")
    client = genai.Client(api_key=stage.key, http_options={"base_url": stage.site.url})
    async with client.aio as client:
        yield client.models


async def test_it_chats(models: Any, model: str):
    answer = await models.generate_content(model=model, contents=script.HELLO, config=LIMIT)
    assert answer.text == script.TEXT
    assert answer.usage_metadata.total_token_count == 130


async def test_it_streams(models: Any, model: str):
    chunks = [
        chunk async for chunk in await models.generate_content_stream(model=model, contents=script.HELLO, config=LIMIT)
    ]
    assert "".join(chunk.text or "" for chunk in chunks) == script.TEXT
    assert chunks[-1].candidates[0].finish_reason == "STOP"


async def test_it_uses_tools(models: Any, model: str):
    declared = {"name": script.WEATHER, "description": "Tells the weather.", "parameters_json_schema": PARAMETERS}
    config = {
        **LIMIT,
        "tools": [{"function_declarations": [declared]}],
        "automatic_function_calling": {"disable": True},
    }
    contents: list[Any] = [{"role": "user", "parts": [{"text": script.TOOL}]}]
    first = await models.generate_content(model=model, contents=contents, config=config)
    results = [
        {"function_response": {"id": call.id, "name": call.name, "response": {"output": text}}}
        for call, text in zip(first.function_calls, RESULTS.values(), strict=True)
    ]
    contents += [first.candidates[0].content, {"role": "user", "parts": results}]
    second = await models.generate_content(model=model, contents=contents, config=config)
    assert second.text == script.brought(RESULTS)


async def test_it_fills_in_forms(models: Any, model: str):
    config = {**LIMIT, "response_mime_type": "application/json", "response_schema": Weather}
    answer = await models.generate_content(model=model, contents=script.FORM, config=config)
    assert answer.parsed == FILLED_IN


async def test_it_shows_images(models: Any, model: str):
    parts = [{"text": script.SEE}, {"inline_data": {"mime_type": "image/png", "data": PNG}}]
    answer = await models.generate_content(model=model, contents=[{"role": "user", "parts": parts}], config=LIMIT)
    assert script.seen(PNG) in answer.text


async def test_its_errors_are_of_their_class(models: Any, model: str):
    errors: Any = pytest.importorskip("google.genai.errors", reason="make e2e-sdks")
    with pytest.raises(errors.ClientError, match=script.MESSAGE) as caught:
        await models.generate_content(model=model, contents=script.fail_with(400), config=LIMIT)
    assert caught.value.code == 400
