"""A conversation that comes to Claude from a model of another maker: its thoughts stay behind."""

import msgspec

from core.dialects.anthropic.messages import MESSAGES, read_request, upstream_body

_OWN = {"type": "thinking", "thinking": "own", "signature": "c2ln"}
_FOREIGN = {"type": "thinking", "thinking": "b", "signature": "llmrouter:gemini::c2ln"}
_CALL = {"type": "redacted_thinking", "data": "llmrouter:call::Z2Vt"}
_TEXT = {"type": "text", "text": "llmrouter: a router"}


def test_thoughts_under_a_seal_are_taken_out_and_nothing_else() -> None:
    messages = [
        {"role": "user", "content": "What is llmrouter:?"},
        {"role": "assistant", "content": [_FOREIGN, _OWN, _TEXT, _CALL]},
        {"role": "assistant", "content": [_FOREIGN]},
        {"role": "user", "content": [_TEXT]},
    ]
    body = msgspec.json.encode({"model": "a", "temperature": 1.0, "messages": messages})
    sent = upstream_body(read_request(MESSAGES, body), "claude-x", ask_usage=False)
    assert b'"temperature":1.0' in sent
    assert msgspec.json.decode(sent) == {
        "model": "claude-x",
        "temperature": 1.0,
        "messages": [messages[0], {"role": "assistant", "content": [_OWN, _TEXT]}, messages[3]],
    }


def test_a_body_without_them_passes_to_the_letter() -> None:
    for content in (b'"llmrouter:"', b'[{"type":"text","text":"llmrouter:"}]', b'[5,"llmrouter:"]', b"5"):
        body = b'{ "model": "a",  "messages": [{"role":"user","content":%b}] }' % content
        assert upstream_body(read_request(MESSAGES, body), "a", ask_usage=False) == body
