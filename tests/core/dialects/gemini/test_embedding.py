"""Embeddings from wire to wire: OpenAI's and Gemini's, in both directions."""

import json
import struct
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.embedding import Embed, Embedded
from core.dialects.gemini import embedding as gemini
from core.dialects.gemini import generate
from core.dialects.losses import Losses
from core.dialects.openai import embedding as openai
from core.dialects.openai.chat import EMBEDDING
from core.dialects.openai.chat import read_request as read_openai
from core.dialects.request import Request
from core.dialects.sides import Unreadable
from core.dialects.table import DIALECTS, EMBEDDING_CALLERS, EMBEDDING_PROVIDERS
from core.dialects.tokens import PROVIDER, Tokens
from core.errors import InvalidArgument

_floats = st.floats(-1, 1, width=32)
_embeds = st.builds(
    Embed, st.just("m"), st.lists(st.text(min_size=1), min_size=1, max_size=3), st.none() | st.integers(1, 3072)
)


def openai_request(**fields: Any) -> Request:
    return read_openai(EMBEDDING, json.dumps({"model": "m", **fields}).encode())


def gemini_request(operation: str = generate.EMBED, **fields: Any) -> Request:
    return generate.read_request(operation, json.dumps({"model": "m", **fields}).encode())


def kept() -> Losses:
    return Losses({}, "p", drop=False)


def a_text(text: str, **fields: Any) -> dict[str, Any]:
    return {"model": "models/m", "content": {"parts": [{"text": text}]}, **fields}


def test_what_an_openai_client_asks_for() -> None:
    asked = openai.read_embed(openai_request(input=["a", "b"], dimensions=256, encoding_format="base64", user="u"))
    assert asked == Embed("m", ["a", "b"], 256, as_base64=True, user="u")
    assert openai.read_embed(openai_request(input="a", user=None)) == Embed("m", ["a"])
    assert list(openai.read_embed(openai_request(input="a", task="x", other=None)).others) == ["task"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"input": [1, 2]}, "input"),
        ({"input": [[1], [2]]}, "input"),
        ({"input": []}, "input"),
        ({}, "input"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": "x"}, "dimensions"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "user": 3}, "user"),
    ],
)
def test_what_is_wrong_of_an_openai_client_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        openai.read_embed(openai_request(**fields))
    assert raised.value.field == field


def test_what_a_gemini_provider_is_asked_for() -> None:
    body = gemini.write_embed(Embed("gemini-embedding-001", ["a", "b"], 8), kept())
    assert json.loads(body) == {
        "requests": [
            {
                "model": "models/gemini-embedding-001",
                "content": {"parts": [{"text": text}]},
                "outputDimensionality": 8,
            }
            for text in ("a", "b")
        ]
    }
    with pytest.raises(InvalidArgument):
        gemini.write_embed(Embed("m", ["a"], user="u"), kept())


def test_a_gemini_answer_for_an_openai_client() -> None:
    found = gemini.read_embedded(b'{"embeddings":[{"values":[3,4]},{"values":[0,2.0]}]}')
    found.model, found.tokens = "m", Tokens(input=5, source=PROVIDER)
    body = json.loads(openai.write_embedded(found, Embed("m", ["a", "b"], dimensions=2)))
    assert [each["embedding"] for each in body["data"]] == [[0.6, 0.8], [0.0, 1.0]]
    assert [each["index"] for each in body["data"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 5, "total_tokens": 5}
    plain = json.loads(openai.write_embedded(found, Embed("m", ["a", "b"], as_base64=True)))
    assert plain["data"][0]["embedding"] == b64encode(struct.pack("<2f", 3, 4)).decode()


def test_what_a_gemini_client_asks_for() -> None:
    asked = gemini.read_embed(
        gemini_request(requests=[a_text("a", outputDimensionality=4), a_text("b", outputDimensionality=4)])
    )
    assert asked == Embed("m", ["a", "b"], 4)
    config = {"outputDimensionality": 4, "taskType": "RETRIEVAL_QUERY"}
    odd = gemini.read_embed(gemini_request(requests=[a_text("a", embed_content_config=config), a_text("b", title="T")]))
    assert (odd.dimensions, list(odd.others)) == (
        4,
        ["requests[0].taskType", "requests[1].outputDimensionality", "requests[1].title"],
    )
    one = gemini.read_embed(gemini_request(generate.EMBED_ONE, content={"parts": [{"text": "a"}]}, taskType="X"))
    assert (one.texts, list(one.others)) == (["a"], ["taskType"])


_WRONG: list[Any] = [
    None,
    [],
    [{}],
    3,
    [3],
    [{"content": {"parts": [{"inlineData": {}}]}}],
    [a_text("a", outputDimensionality=-1)],
]


@pytest.mark.parametrize("requests", _WRONG)
def test_what_is_wrong_of_a_gemini_client_is_refused(requests: Any) -> None:
    with pytest.raises(InvalidArgument):
        gemini.read_embed(gemini_request(requests=requests))


def test_an_openai_answer_for_a_gemini_client() -> None:
    data = [{"index": 1, "embedding": b64encode(struct.pack("<2f", 1, 2)).decode()}, {"index": 0, "embedding": [3, 4]}]
    found = openai.read_embedded(json.dumps({"data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}).encode())
    assert found.tokens == Tokens(input=5, source=PROVIDER)
    body = {"embeddings": [{"values": [3.0, 4.0]}, {"values": [1.0, 2.0]}], "usageMetadata": {"promptTokenCount": 5}}
    assert json.loads(gemini.write_embedded(found, Embed("m", ["a", "b"]))) == body
    assert json.loads(gemini.write_one_embedded(found, Embed("m", ["a"])))["embedding"] == {"values": [3.0, 4.0]}


@given(_embeds)
def test_requests_that_were_written_are_read_as_they_were(asked: Embed) -> None:
    again = json.loads(openai.write_embed(asked, kept()))
    assert openai.read_embed(openai_request(**again)) == asked
    assert gemini.read_embed(gemini_request(**json.loads(gemini.write_embed(asked, kept())))) == asked


@given(st.lists(st.lists(_floats, min_size=1, max_size=4), min_size=1, max_size=3), st.booleans())
def test_answers_that_were_written_are_read_as_they_were(vectors: list[list[float]], as_base64: bool) -> None:
    found = Embedded(vectors, "m", Tokens(input=3, source=PROVIDER))
    asked = Embed("m", [""] * len(vectors), as_base64=as_base64)
    assert openai.read_embedded(openai.write_embedded(found, asked)) == found
    again = gemini.read_embedded(gemini.write_embedded(found, asked))
    assert (again.vectors, again.tokens) == (found.vectors, found.tokens)


@given(st.sampled_from(sorted(EMBEDDING_PROVIDERS)), st.binary(max_size=30) | st.just(b'{"data":[{"embedding":"!"}]}'))
def test_what_is_no_answer_is_unreadable(operation: str, body: bytes) -> None:
    with pytest.raises(Unreadable):
        EMBEDDING_PROVIDERS[operation].read_embedded(body)


def test_every_operation_of_embeddings_has_its_dialect() -> None:
    assert set(EMBEDDING_CALLERS) | set(EMBEDDING_PROVIDERS) <= set(DIALECTS)
    for caller in EMBEDDING_CALLERS.values():
        assert set(caller.names) <= set(Embed.__struct_fields__)
