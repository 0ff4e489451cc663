"""A provider that reports an error in the middle of its stream, and ends the stream as if all were well."""

import pytest

from tests.core.routing.conftest import Stage, rest_of
from tests.core.routing.test_fallback import ERROR_EVENT, sse

WORD = b'data: {"choices": [{"index": 0, "delta": {"content": "word"}, "finish_reason": null}]}\n\n'
STOP = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


async def test_an_error_event_in_the_middle_is_passed_on_and_accounted_for_as_a_failure(stage: Stage) -> None:
    only = await stage.provider("only")
    only.script(sse([WORD, ERROR_EVENT, DONE]))
    streamed = await stage.stream()
    assert await rest_of(streamed) == WORD + ERROR_EVENT + DONE
    record = await stage.record()
    assert (record.outcome, record.error_reason, record.token_source) == ("failed", "STREAM_INTERRUPTED", "counted")
    assert record.output_tokens == 1


@pytest.mark.parametrize("said", ['{\\"error\\": {}}', 'data: {\\"error\\": \\"x\\"}'])
async def test_what_a_model_says_of_errors_is_no_error(stage: Stage, said: str) -> None:
    only = await stage.provider("only")
    word = WORD.replace(b"word", said.encode())
    only.script(sse([word, STOP, DONE]))
    assert await rest_of(await stage.stream()) == word + STOP + DONE
    assert (await stage.record()).outcome == "answered"
