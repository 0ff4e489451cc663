"""Answers of the OpenAI wire as fields: what vendors make of them."""

import json
from typing import Any

import pytest

from core.dialects.openai.answer import Fault, is_error, payloads, read_completion, read_fault, read_vectors
from core.errors import ProviderError


def test_a_block_is_taken_apart_into_the_json_of_its_events():
    block = b': comment\n\ndata: {"a":1}\n\nevent: x\r\ndata:{"b":2}\r\n\r\ndata: [DONE]\n\n'
    assert list(payloads(block)) == [b'{"a":1}', b'{"b":2}']


def test_json_on_several_data_lines_is_one_event():
    assert list(payloads(b'data: {"a":\ndata: 1}\n\n')) == [b'{"a":\n1}']


def test_an_event_without_its_blank_line_counts():
    assert list(payloads(b'data: {"a":1}')) == [b'{"a":1}']


def test_nothing_but_objects_is_an_answer():
    for body in (b"", b"<html>", b"[]", b'"text"', b'{"choices": 5}', b'{"choices": [', b"[" * 100_000):
        with pytest.raises(ProviderError):
            read_completion(body)


def test_unknown_fields_and_nulls_are_of_no_matter():
    found = read_completion(
        b'{"id":null,"created":null,"model":null,"choices":null,"usage":{"x":[1]},"error":null,"y":{}}'
    )
    assert (found.id, found.created, found.model, found.choices, is_error(found)) == (None, None, None, None, False)


def test_half_a_character_does_not_end_a_stream():
    found = read_completion(b'{"choices":[{"index":0,"delta":{"content":"a\\ud83d"}}]}')
    assert found.choices
    assert found.choices[0].delta
    assert found.choices[0].delta.text() == "a?"


def test_bytes_that_are_no_utf_8_do_not_end_a_stream():
    found = read_completion(b'{"choices":[{"delta":{"content":"a\xff"}}]}')
    assert found.choices
    assert found.choices[0].delta
    assert found.choices[0].delta.text() == "a�"


@pytest.mark.parametrize(
    ("message", "text", "thoughts"),
    [
        ({"content": "a"}, "a", ""),
        ({"content": ""}, "", ""),
        ({"content": None}, None, ""),
        ({"content": "a", "reasoning_content": "b"}, "a", "b"),
        ({"content": "a", "reasoning": "b"}, "a", "b"),
        ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "ab", ""),
        (
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"text": "a"}]},
            "a",
            "hm",
        ),
        ({"content": [{"type": "thinking", "thinking": "hm"}]}, "", "hm"),
    ],
)
def test_text_and_reasoning_wherever_a_vendor_puts_them(message: dict[str, Any], text: str | None, thoughts: str):
    found = read_completion(json.dumps({"choices": [{"message": message}]}).encode())
    assert found.choices
    said = found.choices[0].message
    assert said
    assert (said.text(), said.thoughts()) == (text, thoughts)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [('"{\\"a\\": 1}"', '{"a": 1}'), ('{"a": 1.0}', '{"a": 1.0}'), ('""', ""), ("null", "")],
)
def test_arguments_are_the_text_that_the_model_wrote(arguments: str, text: str):
    call = f'{{"function":{{"name":"f","arguments":{arguments}}}}}'
    found = read_completion(f'{{"choices":[{{"message":{{"tool_calls":[{call}]}}}}]}}'.encode())
    assert found.choices
    assert found.choices[0].message
    assert found.choices[0].message.tool_calls
    function = found.choices[0].message.tool_calls[0].function
    assert function
    assert function.arguments_json() == text


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            '{"error":{"message":"m","type":"t","code":"c","param":"p"}}',
            Fault(message="m", type="t", code="c", param="p"),
        ),
        ('{"error":{"message":"m","type":null,"code":429,"param":null}}', Fault(message="m", code="429")),
        ('{"error":"m"}', Fault(message="m")),
        ('{"object":"error","message":"m","type":"t","code":400}', Fault(message="m", type="t", code="400")),
        ('{"detail":"m"}', Fault(message="m")),
        ('{"detail":[{"loc":["body"],"msg":"x"}]}', Fault()),
        ('{"error":{"message":{"deep":1}}}', Fault()),
        ("<html>busy</html>", Fault()),
        ("", Fault()),
        ('{"error":' + "[" * 100_000, Fault()),
    ],
)
def test_what_an_error_answer_says(body: str, fault: Fault):
    assert read_fault(body.encode()) == fault


@pytest.mark.parametrize(("value", "error"), [("null", False), ("{}", False), ('""', False), ('{"code":1}', True)])
def test_an_error_under_a_status_of_200_is_seen(value: str, error: bool):
    assert is_error(read_completion(f'{{"error":{value}}}'.encode())) is error
    assert is_error(read_vectors(f'{{"error":{value}}}'.encode())) is error
