"""Chat completions through OpenAI's own client: plain answers, tools, structured outputs, headers."""

import json

import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from llmrouter.v1 import router_pb2, usage_pb2
from tests.e2e.accounts import Account, tokens_in, tokens_of
from tests.e2e.fake import wire
from tests.e2e.providers import Provider

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

MESSAGES: list[ChatCompletionMessageParam] = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Who are you, and where do you run?"},
]
WEATHER: ChatCompletionToolParam = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def test_a_chat_is_answered_and_accounted_for(account: Account, provider: Provider, mount: str):
    completion = account.client(mount).chat.completions.create(model=provider.chat_model, messages=MESSAGES)
    (choice,) = completion.choices
    assert (choice.message.content, choice.finish_reason) == (provider.answer, "stop")
    record = account.record()
    assert tokens_of(record) == tokens_in(completion.usage)
    assert record.tokens.output_tokens >= len(provider.pieces)
    assert (record.provider, record.model, record.messages) == (provider.name, provider.chat_model, 2)
    assert (record.status_code, record.outcome, record.attempts) == (200, usage_pb2.OUTCOME_ANSWERED, 1)
    assert (record.operation, record.streamed) == (router_pb2.OPERATION_CHAT_COMPLETION, False)
    assert record.surface == {"/v1": "gateway", "/api/v1": "openai"}[mount]


async def test_the_asynchronous_client_is_answered_alike(account: Account, provider: Provider):
    async with account.async_client() as client:
        completion = await client.chat.completions.create(model=provider.chat_model, messages=MESSAGES)
    assert completion.choices[0].message.content == provider.answer
    assert tokens_of(account.record()) == tokens_in(completion.usage)


def test_headers_tell_where_a_request_went_and_what_it_cost(account: Account, provider: Provider, mount: str):
    raw = account.client(mount).chat.completions.with_raw_response.create(model=provider.chat_model, messages=MESSAGES)
    assert raw.parse().choices[0].message.content == provider.answer
    record = account.record()
    assert raw.headers["x-request-id"] == record.request_id
    assert raw.headers["x-llmrouter-provider"] == provider.name
    assert raw.headers["x-llmrouter-model"] == provider.chat_model
    # A real model that runs here costs nothing; the fake one bears the name of one with a published price.
    assert float(raw.headers["x-llmrouter-cost-usd"]) == pytest.approx(record.cost_nanousd / 1e9)
    assert (record.cost_nanousd > 0) == (provider.name == "fake")
    assert record.price_source == "local" or record.price_source.startswith("genai-prices ")


def test_a_limit_on_tokens_reaches_the_provider(account: Account, provider: Provider):
    completion = account.client().chat.completions.create(model=provider.chat_model, messages=MESSAGES, max_tokens=3)
    assert completion.choices[0].message.content == "".join(provider.pieces[:3])
    assert completion.choices[0].finish_reason == "length"
    assert tokens_of(account.record())[1] == 3


def test_a_tool_is_called_and_its_answer_heard(account: Account, provider: Provider, mount: str):
    client = account.client(mount)
    asked = client.chat.completions.create(
        model=provider.chat_model, messages=MESSAGES, tools=[WEATHER], tool_choice="required"
    )
    (choice,) = asked.choices
    assert choice.finish_reason == "tool_calls"
    [call] = choice.message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": provider.sample}

    said: list[ChatCompletionMessageParam] = [
        *MESSAGES,
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": "weather", "arguments": call.function.arguments},
                }
            ],
        },
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    answered = client.chat.completions.create(model=provider.chat_model, messages=said, tools=[WEATHER])
    assert answered.choices[0].message.content == provider.answer
    first, second = account.records(2)
    assert [tokens_of(first), tokens_of(second)] == [tokens_in(asked.usage), tokens_in(answered.usage)]
    assert (first.messages, second.messages) == (2, 4)


class City(BaseModel):
    """What the model is asked to fill in."""

    city: str
    country: str


def test_a_structured_output_is_parsed(account: Account, provider: Provider):
    completion = account.client().chat.completions.parse(
        model=provider.chat_model, messages=MESSAGES, response_format=City
    )
    assert completion.choices[0].message.parsed == City(city=provider.sample, country=provider.sample)
    assert tokens_of(account.record()) == tokens_in(completion.usage)


def test_unknown_fields_survive_in_both_directions(account: Account, fake_provider: Provider, mount: str):
    sent = {"x_number": 1.0, "x_large": 2**60 + 1, "x_nested": {"é": [None, "\n", 1e-3]}}
    completion = account.client(mount).chat.completions.create(
        model=fake_provider.chat_model, messages=MESSAGES, extra_body=sent
    )
    assert (completion.model_extra or {})["x_received"] == sent
    assert completion.system_fingerprint == "fp_fake"
    assert account.record().status_code == 200


@pytest.mark.real
def test_fields_of_a_vendors_own_reach_it_and_come_back(account: Account, real_provider: Provider):
    completion = account.client().chat.completions.create(
        model=real_provider.chat_model, messages=MESSAGES, max_tokens=20, extra_body={"ignore_eos": True}
    )
    assert completion.choices[0].finish_reason == "length"
    assert (completion.model_extra or {})["timings"]["predicted_n"] == 20
    assert tokens_of(account.record())[1] == 20


def test_a_model_can_be_named_with_its_provider(account: Account, provider: Provider):
    client = account.client()
    completion = client.chat.completions.create(model=f"{provider.name}/{provider.chat_model}", messages=MESSAGES)
    assert completion.choices[0].message.content == provider.answer
    record = account.record()
    assert record.requested_model == f"{provider.name}/{provider.chat_model}"
    assert record.model == provider.chat_model


def test_a_models_name_may_hold_slashes(account: Account, fake_provider: Provider):
    completion = account.client().chat.completions.create(model=wire.SLASHED_MODEL, messages=MESSAGES)
    assert completion.choices[0].message.content == fake_provider.answer
    assert account.record().model == wire.SLASHED_MODEL
