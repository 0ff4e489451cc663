"""Text completions, embeddings and models through OpenAI's own client."""

import base64
import struct
from typing import Any, cast

import pytest
from openai import NotFoundError

from llmrouter.v1 import router_pb2, usage_pb2
from tests.e2e.accounts import Account, tokens_in, tokens_of
from tests.e2e.fake import wire
from tests.e2e.fake.process import FakeProvider
from tests.e2e.providers import Provider

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

PROMPT = "Say where you come from"
TEXTS = ["the first text", "the second one, which is longer"]


def test_a_text_is_completed(account: Account, provider: Provider, mount: str):
    completion = account.client(mount).completions.create(model=provider.chat_model, prompt=PROMPT)
    (choice,) = completion.choices
    assert (choice.text, choice.finish_reason) == (provider.answer, "stop")
    record = account.record()
    assert tokens_of(record) == tokens_in(completion.usage)
    assert (record.operation, record.provider) == (router_pb2.OPERATION_COMPLETION, provider.name)


def test_a_completion_is_streamed(account: Account, provider: Provider, mount: str):
    client = account.client(mount)
    plain = client.completions.create(model=provider.chat_model, prompt=PROMPT)
    chunks = list(client.completions.create(model=provider.chat_model, prompt=PROMPT, stream=True))
    assert [choice.text for chunk in chunks for choice in chunk.choices if choice.text] == list(provider.pieces)
    assert all(chunk.choices for chunk in chunks), "a chunk of usage alone was not asked for"
    whole, streamed = account.records(2)
    assert tokens_of(streamed)[:2] == tokens_of(whole)[:2] == tokens_in(plain.usage)[:2]
    assert streamed.streamed


def test_a_streamed_completion_reports_its_usage_where_it_is_asked_for(
    account: Account, provider: Provider, mount: str
):
    *chunks, last = account.client(mount).completions.create(
        model=provider.chat_model, prompt=PROMPT, stream=True, stream_options={"include_usage": True}
    )
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == provider.answer
    assert tokens_of(account.record()) == tokens_in(last.usage)


async def test_a_completion_arrives_as_it_is_made(account: Account, fake_provider: Provider, fake: FakeProvider):
    fake.let("a text")
    async with account.async_client() as client:
        stream = await client.completions.create(
            model=fake_provider.chat_model, prompt=PROMPT, stream=True, extra_body={"x_hold": "a text"}
        )
        assert (await anext(stream)).choices[0].text == fake_provider.pieces[0]
        fake.let_all("a text")
        rest = [choice.text async for chunk in stream for choice in chunk.choices]
    assert "".join(rest) == "".join(fake_provider.pieces[1:])
    assert account.record().outcome == usage_pb2.OUTCOME_ANSWERED


def test_texts_become_vectors(account: Account, provider: Provider, mount: str):
    embeddings = account.client(mount).embeddings
    asked_in_base64 = embeddings.create(model=provider.embedding_model, input=TEXTS)  # the client's own choice
    in_floats = embeddings.create(model=provider.embedding_model, input=TEXTS, encoding_format="float")
    vectors = [each.embedding for each in asked_in_base64.data]
    assert [len(vector) for vector in vectors] == [provider.dimensions] * 2
    for packed, plain in zip(asked_in_base64.data, in_floats.data, strict=True):
        assert packed.embedding == pytest.approx(plain.embedding, abs=1e-6)
    assert vectors[0] != vectors[1]
    records = account.records(2)
    for record, answer in zip(records, (asked_in_base64, in_floats), strict=True):
        assert tokens_of(record) == (answer.usage.prompt_tokens, 0, 0, 0)
        assert record.operation == router_pb2.OPERATION_EMBEDDING


async def test_a_vector_in_base64_passes_through_to_the_letter(account: Account, provider: Provider):
    async with account.async_client() as client:
        answer = await client.embeddings.create(
            model=provider.embedding_model, input=TEXTS[0], encoding_format="base64"
        )
    packed = base64.b64decode(cast("str", cast("Any", answer.data[0].embedding)))
    assert len(struct.unpack(f"<{provider.dimensions}f", packed)) == provider.dimensions
    assert account.record().tokens.input_tokens == answer.usage.prompt_tokens


def test_dimensions_pass_through(account: Account, fake_provider: Provider, mount: str):
    answer = account.client(mount).embeddings.create(
        model=fake_provider.embedding_model, input=TEXTS[0], dimensions=3, extra_body={"x_more": [1]}
    )
    assert answer.data[0].embedding == wire.vector(TEXTS[0], 3)
    assert (answer.model_extra or {})["x_received"] == {"x_more": [1]}
    assert account.record().status_code == 200


def test_the_models_are_listed(account: Account, provider: Provider, mount: str):
    listed = {model.id: model for model in account.client(mount).models.list()}
    assert {provider.chat_model, provider.embedding_model, "echo"} <= listed.keys()
    assert listed[provider.chat_model].object == "model"
    assert listed[provider.chat_model].owned_by == provider.name
    account.records(0)


@pytest.mark.parametrize("name", [wire.CHAT_MODEL, wire.SLASHED_MODEL, f"fake/{wire.SLASHED_MODEL}"])
@pytest.mark.usefixtures("fake_provider")
def test_one_model_can_be_asked_for(account: Account, name: str, mount: str):
    model = account.client(mount).models.retrieve(name)
    assert (model.id, model.object, model.owned_by) == (name, "model", "fake")


def test_a_model_that_does_not_exist_is_not_found(account: Account, mount: str):
    with pytest.raises(NotFoundError):
        account.client(mount).models.retrieve("no/such/model")
