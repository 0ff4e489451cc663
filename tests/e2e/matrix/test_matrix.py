"""Every caller's dialect × every wire × what can be asked for: each cell says what must come of it, to the letter.

A cell looks at what the caller gets (text, calls, thoughts, usage, why it ended, errors in its own words), at what
the provider got (the fakes complain of all that their documentation does not have, and answer by what arrived), and
at the usage record. `make matrix` prints the outcomes.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest
from openai.types import CreateEmbeddingResponse

from tests.e2e.matrix import board
from tests.e2e.matrix.callers import CALLERS
from tests.e2e.matrix.callers.caller import SCHEMA, Caller, Heard, Stop, Wish
from tests.e2e.matrix.stage import ADDRESSES, DROP, ROWS, WIRES, Got, Stage
from tests.support.wires import gemini, openai, script
from tests.support.wires.script import TOKENS

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="package")]

PNG: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf"
    "f01f0005fe02fea7b3d2510000000049454e44ae426082"
)
# What a wire does not report apart; everything else reports all of script.TOKENS.
UNREPORTED: Final[Mapping[str, frozenset[str]]] = {
    "bedrock": frozenset({"reasoning"}),
    "ollama": frozenset({"cached", "reasoning"}),
}
# (wire, feature) → what can't be done there, as the callers' dialects call it: a forced tool, …
REFUSED: Final[Mapping[tuple[str, str], Mapping[str, str]]] = {
    ("ollama", "tools"): {
        "responses": "tool_choice",
        "messages": "tool_choice",
        "generate": "toolConfig.functionCallingConfig",
    },
}
# Wires that say inside a stream that they are overloaded, and not only that something failed.
TELLING: Final = frozenset({"anthropic", "bedrock", "gemini"})
RESULTS: Final = {"Graz": "sunny", "Wien": 'rainy, "grey"'}
STATUSES: Final[Mapping[str, Mapping[int, int]]] = {
    "anthropic": {503: 529},
    "bedrock": {401: 403},
}

CELLS: Final = [(caller, row, feature) for caller in CALLERS for row in WIRES for feature in board.FEATURES]
SMOKE: Final = [(caller, row, feature) for caller in CALLERS for row in ADDRESSES for feature in ("plain", "stream")]


@pytest.mark.parametrize(("caller", "row", "feature"), CELLS)
async def test_cell(stage: Stage, request: pytest.FixtureRequest, caller: str, row: str, feature: str):
    await _try(stage, request, caller, row, feature)


@pytest.mark.parametrize(("caller", "row", "feature"), SMOKE)
async def test_address(stage: Stage, request: pytest.FixtureRequest, caller: str, row: str, feature: str):
    await _try(stage, request, caller, row, feature)


async def _try(stage: Stage, request: pytest.FixtureRequest, caller: str, row: str, feature: str) -> None:
    board.note(request, caller, row, feature)
    features = CALLERS[caller].features
    if features is not None and feature not in features:
        board.outcome(request, board.NOTHING)
        return
    cell = Cell(stage, caller, row, feature)
    stage.complaints()
    try:
        await getattr(cell, feature.replace(" ", "_"))()
    finally:
        complaints = stage.complaints()
        if complaints:
            print(*complaints, sep="\n")
    assert not complaints
    expected = REFUSED.get((cell.wire, feature), {}).get(caller)
    assert cell.refused == expected
    if expected:
        board.outcome(request, board.REFUSED)


class Cell:
    """One cell under test."""

    def __init__(self, stage: Stage, caller: str, row: str, feature: str) -> None:
        self.stage = stage
        self.caller: Caller = CALLERS[caller]
        self.row = row
        self.wire = ROWS[row].wire or row
        if (caller, row) == ("chat", "ollama"):  # it has that wire too
            self.wire = "openai"
        self.model = f"{row}/{ROWS[row].model}"
        self.feature = feature
        self.refused: str | None = None  # the field that the provider can't do

    # What can be asked for

    async def plain(self) -> None:
        await self._expect(self._wish(script.HELLO), text=script.TEXT)
        await self._expect(self._wish(script.LONG), text=script.TEXT, stop="length")

    async def stream(self) -> None:
        await self._expect(self._wish(script.HELLO, stream=True), text=script.TEXT)
        await self._expect(self._wish(script.LONG, stream=True), text=script.TEXT, stop="length")

    async def tools(self) -> None:
        await self._use_tools(stream=False, forced=True)

    async def streamed_tools(self) -> None:
        await self._use_tools(stream=True, forced=False)

    async def image(self) -> None:
        text = f"I see {script.seen(PNG)}"
        await self._expect(self._wish(script.SEE, image=PNG), text=text)
        await self._expect(self._wish(script.SEE, image=PNG, stream=True), text=text)

    async def structured(self) -> None:
        for stream in (False, True):
            heard = await self._expect(self._wish(script.FORM, schema=SCHEMA, stream=stream))
            assert json.loads(heard.text) == {"city": "Graz", "degrees": 21, "rain": True}

    async def thinking(self) -> None:
        for stream in (False, True):
            same = self.caller.path == CALLERS["chat"].path and self.wire == "openai"
            wish = self._wish(script.THINK, thinks=True, stream=stream, shown=not same)
            heard = await self._expect(wish, text=script.TEXT)
            assert heard.thought == script.THOUGHT
            before = [*self.caller.user(wish), *heard.turn]
            again = self._wish(script.GO_ON, before=before, thinks=True, stream=stream)
            # Thoughts without a proof go back to nobody, but where bytes pass.
            text = script.FORGOTTEN if self.wire == "openai" and not same else script.REMEMBERED
            await self._expect(again, text=text)

    async def error(self) -> None:
        for status in (400, 401, 429, 503):
            for stream in (False, True):
                await self._fail(status, stream=stream)
        got = await self._send(self._wish(script.BREAK, stream=True))
        assert got.status == 200
        text, trouble = self.caller.broken(got.body)
        assert text == script.PIECES[0]
        assert trouble.message == script.MESSAGE
        assert trouble.kind in self.caller.kinds[503 if self.wire in TELLING else 500]
        record = await self.stage.record()
        assert record.outcome not in ("", "answered")
        assert record.input_tokens > 0

    # How

    def _wish(self, say: str, **fields: Any) -> Wish:
        return Wish(model=self.model, say=say, **fields)

    async def _use_tools(self, *, stream: bool, forced: bool) -> None:
        offer: dict[str, Any] = {"tool": script.WEATHER, "stream": stream}
        wish = self._wish(script.TOOL, forced=forced, **offer)
        heard = await self._expect(wish, stop="tool")
        assert [call.name for call in heard.calls] == [script.WEATHER] * len(script.CITIES)
        assert [call.arguments for call in heard.calls] == [{"city": city, "days": 2} for city in script.CITIES]
        said = {call.id: RESULTS[call.arguments["city"]] for call in heard.calls}
        assert len(said) == len(heard.calls), "each call has an id of its own"
        before = [*self.caller.user(wish), *heard.turn, *self.caller.results(said, heard)]
        await self._expect(self._wish("", before=before, **offer), text=script.brought(RESULTS))
        assert not self.stage.fakes[self.row].shortcuts, "the signature of a call was lost"

    async def _expect(self, wish: Wish, *, text: str | None = None, stop: Stop = "stop") -> Heard:
        """Sends a request and hears a good answer, with its usage in it and on record."""
        got = await self._send(wish)
        assert got.status == 200, got.body
        assert got.headers["x-llmrouter-provider"] == self.row
        heard = self.caller.hear_stream(got.body) if wish.stream else self.caller.hear(got.body)
        if text is not None:
            assert heard.text == text
        assert heard.stop == stop
        unreported = UNREPORTED.get(self.wire, frozenset[str]())
        cached = 0 if "cached" in unreported else TOKENS.cached
        reasoning = 0 if "reasoning" in unreported else TOKENS.reasoning
        assert heard.usage[:3] == (TOKENS.input, TOKENS.output, cached)
        assert heard.usage[3] in (None, reasoning)
        record = await self.stage.record()
        used = (record.input_tokens, record.output_tokens, record.cached_input_tokens, record.reasoning_tokens)
        assert used == (TOKENS.input, TOKENS.output, cached, reasoning)
        assert (record.provider, record.status_code, record.token_source) == (self.row, 200, "provider")
        assert (record.outcome, record.streamed) == ("answered", wish.stream)
        return heard

    async def _send(self, wish: Wish) -> Got:
        """Sends; where it is refused for what the provider can't do, once more with the leave to drop that."""
        got = await self.stage.send(self.caller, wish)
        if got.status != 400 or b"drop-unsupported" not in got.body:
            return got
        message = self.caller.trouble(got.body).message
        self.refused = message.partition(" ")[0]
        again = await self.stage.send(self.caller, wish, DROP)
        assert again.headers["x-llmrouter-dropped"] == self.refused
        return again

    async def _fail(self, status: int, *, stream: bool) -> None:
        got = await self._send(self._wish(script.fail_with(status), stream=stream))
        own = STATUSES.get(self.wire, {}).get(status, status)
        assert got.status in ({503, 529} if status == 503 else {own}), got.body
        trouble = self.caller.trouble(got.body)
        assert trouble.message == script.MESSAGE
        assert trouble.kind in self.caller.kinds[got.status], trouble
        assert got.headers.get("retry-after") == (script.RETRY_AFTER if status == 429 else None)
        assert got.headers["x-llmrouter-provider"] == self.row
        record = await self.stage.record()
        assert (record.status_code, record.provider) == (got.status, self.row)


MAKERS: Final = ("openai", "gemini", "openai.com", "azure", "azure-old")
TEXTS: Final = ("one", "two words")


@pytest.mark.parametrize("row", MAKERS)
async def test_embeddings_of_openais_clients(stage: Stage, request: pytest.FixtureRequest, row: str):
    board.note(request, "embeddings", row, "embeddings")
    body = {"model": f"{row}/{ROWS[row].model}", "input": list(TEXTS)}
    got = await stage.post("/v1/embeddings", {**body, "encoding_format": "float"})
    assert not stage.complaints()
    assert got.status == 200, got.body
    answer = json.loads(got.body)
    CreateEmbeddingResponse.model_validate(answer)
    assert [each["embedding"] for each in answer["data"]] == [list(openai.VECTOR)] * len(TEXTS)
    assert [each["index"] for each in answer["data"]] == [0, 1]
    await _embedded(stage, row, answer["usage"]["prompt_tokens"])


@pytest.mark.parametrize("row", MAKERS)
async def test_embeddings_of_googles_clients(stage: Stage, request: pytest.FixtureRequest, row: str):
    board.note(request, "embed", row, "embeddings")
    model = f"{row}/{ROWS[row].model}"
    requests = [{"model": f"models/{model}", "content": {"parts": [{"text": text}]}} for text in TEXTS]
    got = await stage.post(f"/v1beta/models/{model}:batchEmbedContents", {"requests": requests})
    assert not stage.complaints()
    assert got.status == 200, got.body
    found = [each["values"] for each in json.loads(got.body)["embeddings"]]
    assert found == [list(gemini.VECTOR)] * len(TEXTS)
    await _embedded(stage, row, None)


async def _embedded(stage: Stage, row: str, told: int | None) -> None:
    """The usage is on record, and as the caller was told."""
    record = await stage.record()
    assert (record.provider, record.status_code, record.output_tokens) == (row, 200, 0)
    assert record.token_source == "provider"
    assert record.input_tokens == TOKENS.input
    assert told in (None, TOKENS.input)
