"""Google's access tokens, from a token endpoint on this machine."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.errors import ProviderError
from core.providers.google_credential import GoogleCredential
from core.providers.wire import Headers
from tests.support.clock import FakeClock
from tests.support.google_tokens import LIFE, GoogleTokens, serve_google_tokens
from tests.support.targets import target

URL = "https://europe-west1-aiplatform.googleapis.com/v1/x"


@pytest.fixture
async def google(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[GoogleTokens]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with serve_google_tokens() as google:
        yield google


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime.now(UTC))  # Google's package has no other clock


@pytest.fixture
def credential(google: GoogleTokens, clock: FakeClock) -> GoogleCredential:
    return GoogleCredential(target("vertex", "", google.key), {}, clock)


async def shown(credential: GoogleCredential) -> Headers:
    return await credential.headers("POST", URL, b"{}")


def bearer(number: int) -> Headers:
    return [("authorization", f"Bearer token-{number}")]


async def until_shown(credential: GoogleCredential, headers: Headers) -> None:
    async with asyncio.timeout(10):
        while await shown(credential) != headers:
            await asyncio.sleep(0)


async def test_one_token_serves_all_requests(credential: GoogleCredential, google: GoogleTokens):
    assert await asyncio.gather(*(shown(credential) for _ in range(5))) == [bearer(1)] * 5
    assert await shown(credential) == bearer(1)
    assert [asked["iss"] for asked in google.asked] == ["router@p.iam.gserviceaccount.com"]
    assert google.asked[0]["scope"] == "https://www.googleapis.com/auth/cloud-platform"


async def test_a_token_is_renewed_while_requests_go_on_with_the_old_one(
    credential: GoogleCredential, google: GoogleTokens, clock: FakeClock
):
    await shown(credential)
    clock.advance(LIFE * 0.7)
    assert await shown(credential) == bearer(1)
    assert len(google.asked) == 1
    clock.advance(LIFE * 0.1)
    google.open.clear()
    assert await shown(credential) == bearer(1)  # though Google does not answer
    google.open.set()
    await until_shown(credential, bearer(2))
    assert len(google.asked) == 2


async def test_a_renewal_that_fails_is_tried_again_after_a_while(
    credential: GoogleCredential, google: GoogleTokens, clock: FakeClock, caplog: pytest.LogCaptureFixture
):
    await shown(credential)
    clock.advance(LIFE * 0.8)
    google.refuses = True
    async with asyncio.timeout(10):
        while "no access token" not in caplog.text:
            assert await shown(credential) == bearer(1)
            await asyncio.sleep(0)
    assert len(google.asked) == 2
    google.refuses = False
    assert await shown(credential) == bearer(1)
    assert len(google.asked) == 2
    clock.advance(11)
    await until_shown(credential, bearer(2))


async def test_nobody_gets_a_token_that_is_over(credential: GoogleCredential, google: GoogleTokens, clock: FakeClock):
    await shown(credential)
    clock.advance(LIFE + 1)
    assert await shown(credential) == bearer(2)
    google.refuses = True
    clock.advance(LIFE + 1)
    with pytest.raises(ProviderError, match="access token"):
        await shown(credential)


async def test_who_goes_away_does_not_end_the_others_wait(credential: GoogleCredential, google: GoogleTokens):
    google.open.clear()
    first, second = (asyncio.create_task(shown(credential)) for _ in range(2))
    async with asyncio.timeout(10):
        while not google.asked:
            await asyncio.sleep(0)
    first.cancel()
    google.open.set()
    assert await second == bearer(1)


async def test_a_refusal_is_told_without_its_words(
    credential: GoogleCredential, google: GoogleTokens, caplog: pytest.LogCaptureFixture
):
    google.refuses = True
    with pytest.raises(ProviderError) as caught:
        await shown(credential)
    assert caught.value.message == "Google gave the provider 'there' no access token"
    assert "sesame" not in caplog.text


@pytest.mark.parametrize("key", ["AIza-sesame", '{"type": "service_account"}', '{"private_key": "sesame"}', "[1]"])
def test_a_key_that_is_none_is_refused_and_not_repeated(key: str, clock: FakeClock):
    with pytest.raises(ValueError, match="service account") as caught:
        GoogleCredential(target("vertex", "", key), {}, clock)
    assert "sesame" not in str(caught.value)


async def test_without_a_key_it_is_whoever_this_machine_is(
    google: GoogleTokens, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "key.json"
    file.write_text(google.key)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    assert await shown(GoogleCredential(target("vertex", ""), {}, clock)) == bearer(1)


async def test_a_machine_that_is_nobody_is_told_so(clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(ProviderError, match="this machine no credentials"):
        await shown(GoogleCredential(target("vertex", ""), {}, clock))
