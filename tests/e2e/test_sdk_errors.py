"""What goes wrong, as OpenAI's own client tells it: every failure is the exception that its users know."""

from typing import Any

import openai
import pytest

from llmrouter.v1 import usage_pb2
from tests.e2e.accounts import MOUNTS, Account
from tests.e2e.fake import server, wire
from tests.e2e.fake.process import FakeProvider, running_fake_provider
from tests.e2e.providers import Provider
from tests.e2e.test_sdk_chat import MESSAGES
from tests.support.database import in_thread

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("limit")]

Body = dict[str, Any]

STATUSES: dict[int, type[openai.APIStatusError]] = {
    400: openai.BadRequestError,
    401: openai.AuthenticationError,
    403: openai.PermissionDeniedError,
    404: openai.NotFoundError,
    409: openai.ConflictError,
    422: openai.UnprocessableEntityError,
    429: openai.RateLimitError,
    500: openai.InternalServerError,
    503: openai.InternalServerError,
}


def said(mount: str, phrase: str, **error: Any) -> Any:
    """The error as the SDK has it: a phrase under /api/v1, OpenAI's object under /v1."""
    return phrase if mount == "/api/v1" else error


def test_a_wrong_key_is_an_authentication_error(account: Account, mount: str):
    client = account.client(mount, api_key="sk_00000000_wrongwrongwrongwrongwrong")
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model=wire.CHAT_MODEL, messages=MESSAGES)
    assert caught.value.body == said(
        mount,
        "unauthorized",
        message="unauthorized",
        type="invalid_request_error",
        param=None,
        code="invalid_api_key",
    )
    assert caught.value.request_id
    account.records(0)


@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_a_bad_request(account: Account, mount: str, *, stream: bool):
    with pytest.raises(openai.BadRequestError) as caught:
        account.client(mount).chat.completions.create(model="nobody has it", messages=MESSAGES, stream=stream)
    assert caught.value.body == said(
        mount,
        "unknown model",
        message="unknown model",
        type="invalid_request_error",
        param="model",
        code="model_not_found",
    )
    record = account.record()
    assert (record.status_code, record.outcome) == (400, usage_pb2.OUTCOME_FAILED)
    assert (record.requested_model, record.provider) == ("nobody has it", "")
    assert record.request_id == caught.value.request_id
    assert not record.HasField("cost_nanousd")


def test_a_request_without_a_model_is_a_bad_request(account: Account, mount: str):
    with pytest.raises(openai.BadRequestError) as caught:
        account.client(mount).chat.completions.create(model="", messages=MESSAGES)
    assert caught.value.body == said(
        mount,
        "model required",
        message="model required",
        type="invalid_request_error",
        param="model",
        code="missing_required_parameter",
    )
    assert account.record().status_code == 400


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.usefixtures("fake_provider")
def test_a_providers_refusal_comes_through_to_the_letter(account: Account, status: int):
    for stream in (False, True):
        with pytest.raises(STATUSES[status]) as caught:
            account.client().chat.completions.create(model=f"answers-{status}", messages=MESSAGES, stream=stream)
        assert caught.value.status_code == status
        expected = wire.error(f"the fake provider says {status}", "fake_error", f"code_{status}")
        assert caught.value.body == expected["error"]
        assert caught.value.code == f"code_{status}"
    records = account.records(2)
    assert [record.streamed for record in records] == [False, True]
    for record in records:
        assert (record.status_code, record.outcome) == (status, usage_pb2.OUTCOME_FAILED)
        assert (record.provider, record.error_reason) == ("fake", "UPSTREAM_STATUS")
        assert (record.tokens.input_tokens, record.tokens.output_tokens) == (0, 0)
        assert record.attempts == (2 if status == 503 else 1), "a provider that is overloaded is asked once more"


@pytest.mark.usefixtures("fake_provider")
def test_a_rate_limit_says_when_to_come_back(account: Account, mount: str):
    with pytest.raises(openai.RateLimitError) as caught:
        account.client(mount).chat.completions.create(model="answers-429", messages=MESSAGES)
    assert caught.value.response.headers["retry-after"] == wire.RETRY_AFTER
    assert caught.value.response.headers["x-llmrouter-provider"] == "fake"
    account.record()


@pytest.mark.usefixtures("fake_provider")
def test_each_retry_of_the_client_has_its_own_record(account: Account):
    with pytest.raises(openai.InternalServerError):
        account.client(max_retries=1).chat.completions.create(model="answers-500", messages=MESSAGES)
    first, second = account.records(2)
    assert first.request_id != second.request_id


@pytest.mark.real
def test_a_real_providers_refusal_comes_through(account: Account, real_provider: Provider, mount: str):
    with pytest.raises(openai.BadRequestError) as caught:
        account.client(mount).chat.completions.create(
            model=real_provider.chat_model, messages=[{"role": "user", "content": "too long " * 2000}]
        )
    assert caught.value.type == "exceed_context_size_error"
    assert account.record().status_code == 400


@pytest.mark.usefixtures("fake_provider")
def test_a_stream_that_breaks_off_ends_with_an_error(account: Account, mount: str):
    stream = account.client(mount).chat.completions.create(model=wire.BREAKING_MODEL, messages=MESSAGES, stream=True)
    heard: list[str] = []
    with pytest.raises(openai.APIError) as caught:
        heard.extend(chunk.choices[0].delta.content or "" for chunk in stream)
    assert "".join(heard) == "".join(wire.PIECES[:2])
    assert caught.value.body == said(
        mount,
        "provider error",
        message="the provider's stream ended before it was complete",
        type="server_error",
        param=None,
        code="stream_interrupted",
    )
    record = account.record()
    assert (record.outcome, record.status_code) == (usage_pb2.OUTCOME_FAILED, 502)
    assert record.error_reason == "STREAM_INTERRUPTED"
    assert record.tokens.output_tokens > 0, "what was said before is accounted for"


@pytest.mark.usefixtures("fake_provider")
def test_a_providers_error_in_a_stream_comes_through(account: Account, mount: str):
    stream = account.client(mount).chat.completions.create(model=wire.ERRING_MODEL, messages=MESSAGES, stream=True)
    with pytest.raises(openai.APIError, match="the fake provider gave up") as caught:
        list(stream)
    assert caught.value.code == "gave_up"
    assert account.record().outcome == usage_pb2.OUTCOME_FAILED


@pytest.mark.usefixtures("fake_provider")
def test_a_client_that_loses_patience_ends_its_request(account: Account, fake: FakeProvider, mount: str):
    name = f"impatient at {mount}"
    with pytest.raises(openai.APITimeoutError):
        account.client(mount, timeout=0.3).chat.completions.create(
            model=wire.SILENT_MODEL, messages=MESSAGES, extra_body={"x_hold": name}
        )
    fake.wait_hung_up(name)
    record = account.record()
    assert (record.outcome, record.status_code) == (usage_pb2.OUTCOME_HUNG_UP, 499)
    assert record.provider == "fake"


def test_a_provider_that_is_gone_is_a_server_error(account: Account):
    with running_fake_provider() as gone:
        provider = in_thread(account.service.add_provider(gone.base_url, name="gone", api_key=server.KEY))
    for mount in MOUNTS:
        for stream in (False, True):
            with pytest.raises(openai.InternalServerError) as caught:
                account.client(mount).chat.completions.create(
                    model=f"gone/{wire.CHAT_MODEL}", messages=MESSAGES, stream=stream
                )
            assert caught.value.status_code == 502
            assert caught.value.body == said(
                mount,
                "provider error",
                message="the provider 'gone' could not be reached",
                type="server_error",
                param=None,
                code="provider_error",
            )
    records = account.records(4)
    assert {record.status_code for record in records} == {502}
    assert {(record.provider, record.error_reason) for record in records} == {("gone", "PROVIDER_ERROR")}
    in_thread(account.service.remove_provider(provider["id"]))
