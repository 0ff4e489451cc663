"""How the wires are spoken over HTTP."""

from core.dialects.openai.chat import CHAT
from core.dialects.passthrough.endpoints import TRANSCRIPTION
from core.dialects.table import DIALECTS
from core.providers.wire import ANTHROPIC, GEMINI, OPENAI, PASSED


def test_every_operation_of_callers_is_on_one_wire():
    operations = [*OPENAI.paths, *ANTHROPIC.paths, *GEMINI.paths]
    assert len(set(operations)) == len(operations)
    assert set(DIALECTS) <= set(operations)


def test_a_wire_passes_its_own_headers_on_and_has_defaults_for_the_rest():
    headers = [("anthropic-beta", "b"), ("x-other", "o")]
    assert ANTHROPIC.passed_on(headers) == [("anthropic-beta", "b"), ("anthropic-version", "2023-06-01")]
    assert ANTHROPIC.passed_on([("anthropic-version", "v")]) == [("anthropic-version", "v")]
    assert OPENAI.passed_on(headers) == []


def test_what_some_wire_passes_on_is_known():
    assert set(PASSED) == {"anthropic-version", "anthropic-beta", "content-type"}


def test_a_form_says_itself_what_it_is_and_nothing_else_does():
    form = ("content-type", "multipart/form-data; boundary=x")
    assert OPENAI.of(TRANSCRIPTION).passed_on([form, ("x-other", "o")]) == [form]
    assert OPENAI.of(TRANSCRIPTION).passed_on([]) == [("content-type", "application/json")]
    assert not OPENAI.of(TRANSCRIPTION).always()
    assert OPENAI.of(CHAT).passed_on([form]) == []
    assert OPENAI.of(CHAT).always() == (("Content-Type", "application/json"),)
