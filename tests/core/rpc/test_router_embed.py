"""Vectors through RouterService, as numbers and as base64."""

import base64
import json
import struct
from typing import Any

import pytest

from llmrouter.v1 import router_pb2 as pb
from tests.support.database import on_sqlite
from tests.support.failures import failure
from tests.support.inference import Inference
from tests.support.openai_upstream import MODEL, Answer, OpenAIUpstream, whole

pytestmark = on_sqlite

EMBED = pb.EmbedRequest(model=MODEL, inputs=["a", "b"])


def vectors(*embeddings: Any, **extra: Any) -> Answer:
    """An answer with these embeddings, the last input's first."""
    data = [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(embeddings)]
    body = {"object": "list", "data": data[::-1], "model": "m", "usage": {"prompt_tokens": 4, "total_tokens": 4}}
    return whole(json.dumps(body | extra).encode())


def packed(*values: float) -> str:
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()


async def test_vectors_come_in_the_order_of_the_inputs(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(vectors([0.25, -1], [0.5, 1e-9]))
    answer = await inference.router.Embed(EMBED, metadata=inference.metadata)
    assert answer.model == "m"
    assert [one.index for one in answer.embeddings] == [0, 1]
    assert list(answer.embeddings[0].values) == [0.25, -1.0]
    assert list(answer.embeddings[1].values) == pytest.approx([0.5, 1e-9])
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (4, 0)
    assert (answer.routing.provider, answer.routing.model) == ("upstream", MODEL)
    sent = await openai_upstream.received()
    assert (sent.path, sent.json["encoding_format"]) == ("/v1/embeddings", "float")
    record = await inference.record()
    assert (record.operation, record.request_id) == ("embedding", answer.routing.request_id)
    assert (record.input_tokens, record.messages, record.surface) == (4, 2, "grpc")


async def test_base64_is_read_as_well(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(vectors(packed(0.25, -1.0), packed(0.5)))
    request = pb.EmbedRequest(model=MODEL, inputs=["a", "b"], extra_json='{"encoding_format":"base64"}')
    answer = await inference.router.Embed(request, metadata=inference.metadata)
    assert [list(one.values) for one in answer.embeddings] == [[0.25, -1.0], [0.5]]
    assert (await openai_upstream.received()).json["encoding_format"] == "base64"


async def test_the_same_vector_from_echo_in_either_form(inference: Inference):
    def ask(extra_json: str) -> pb.EmbedRequest:
        return pb.EmbedRequest(model="echo-embedding", inputs=["a", "b"], dimensions=5, extra_json=extra_json)

    as_numbers = await inference.router.Embed(ask(""), metadata=inference.metadata)
    as_text = await inference.router.Embed(ask('{"encoding_format":"base64"}'), metadata=inference.metadata)
    assert as_numbers.embeddings == as_text.embeddings
    assert [len(one.values) for one in as_numbers.embeddings] == [5, 5]


@pytest.mark.parametrize(
    "answer",
    [
        vectors([0.25]),
        vectors([0.25], "not base64!"),
        vectors([0.25], base64.b64encode(b"abc").decode()),
        vectors([0.25], [None]),
        vectors([0.25], {"sparse": True}),
        whole(b"{}"),
    ],
    ids=["too few", "no base64", "half a number", "no numbers", "an object", "nothing"],
)
async def test_what_is_no_vector_is_a_providers_fault(
    inference: Inference, openai_upstream: OpenAIUpstream, answer: Answer
):
    openai_upstream.always(answer)
    failed = await failure(inference.router.Embed(EMBED, metadata=inference.metadata))
    assert failed.reason == "PROVIDER_ERROR"
    assert (await inference.record()).error_reason == "PROVIDER_ERROR"


async def test_an_error_under_a_status_of_200_is_an_error(inference: Inference, openai_upstream: OpenAIUpstream):
    openai_upstream.script(whole(b'{"error":{"message":"no such model","code":404}}'))
    failed = await failure(inference.router.Embed(EMBED, metadata=inference.metadata))
    assert (failed.reason, failed.message, failed.metadata["http_status"]) == (
        "UPSTREAM_STATUS",
        "no such model",
        "404",
    )
