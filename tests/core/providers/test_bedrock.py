"""Where Bedrock is, what it lists, and what shows it who asks."""

import builtins
import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from yarl import URL

from core.clock import Clock, SystemClock
from core.errors import ProviderError, RefreshFailed
from core.providers import bedrock
from core.providers.aws_credential import AwsCredential
from core.providers.bedrock import BedrockList
from core.providers.declared import normalise_base_url, vendors_in_environment
from core.providers.upstream import Target
from core.providers.vendors import vendor_for
from tests.support.bedrock_upstream import ACCESS_KEY, API_KEY, PROFILE, SECRET, TOKEN
from tests.support.clock import FakeClock

EU = "https://bedrock-runtime.eu-central-1.amazonaws.com"
URL_OF_A_MODEL = f"{EU}/model/a%3A0/converse"


def credential(
    api_key: str = "", environ: Mapping[str, str] | None = None, base_url: str = EU, clock: Clock | None = None
) -> AwsCredential:
    times: dict[str, Any] = {"connect_timeout": 1.0, "first_byte_timeout": 1.0, "idle_timeout": 1.0}
    target = Target(id=1, name="aws", type="bedrock", base_url=base_url, api_key=api_key, **times)
    return AwsCredential(target, environ or {}, clock or SystemClock())


async def shown(asked: AwsCredential) -> dict[str, str]:
    return dict(await asked.headers("POST", URL_OF_A_MODEL, b"{}"))


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """This machine is nobody."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_PROFILE",
        "AWS_DEFAULT_REGION",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


async def test_an_api_key_is_shown_as_it_is_and_needs_no_package(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "botocore", None)
    assert await shown(credential(API_KEY)) == {"authorization": f"Bearer {API_KEY}"}


async def test_an_access_key_signs():
    headers = await shown(credential(f"{ACCESS_KEY}:{SECRET}:{TOKEN}"))
    assert headers.keys() == {"authorization", "x-amz-date", "x-amz-security-token"}
    assert headers["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/")
    assert (
        "/eu-central-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date;x-amz-security-token"
        in (headers["authorization"])
    )
    assert SECRET not in str(headers)


async def test_the_routers_own_variables_count_as_those_of_the_machine():
    environ = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "us-west-2"}
    headers = await shown(credential("", environ, base_url="https://proxy.lan/bedrock"))
    assert f"{ACCESS_KEY}/" in headers["authorization"]
    assert "/us-west-2/bedrock/" in headers["authorization"]


async def test_a_profile_of_the_machine_signs(tmp_path: Any):
    (tmp_path / "credentials").write_text(f"[team]\naws_access_key_id={ACCESS_KEY}\naws_secret_access_key={SECRET}\n")
    assert f"{ACCESS_KEY}/" in (await shown(credential("", {"AWS_PROFILE": "team"})))["authorization"]


async def test_credentials_that_end_are_renewed(tmp_path: Any):
    """By a program, which is one of the ways that profiles have."""
    said = {"Version": 1, "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET, "SessionToken": "first"}
    ends = {"Expiration": (datetime.now(UTC) + timedelta(minutes=1)).isoformat()}
    (tmp_path / "said.json").write_text(json.dumps(said | ends))
    (tmp_path / "config").write_text(f"[profile team]\ncredential_process = cat {tmp_path}/said.json\n")
    asked = credential("", {"AWS_PROFILE": "team"})
    assert (await shown(asked))["x-amz-security-token"] == "first"
    (tmp_path / "said.json").write_text(json.dumps(said | ends | {"SessionToken": "second"}))
    assert (await shown(asked))["x-amz-security-token"] == "second"


async def test_nobody_is_told_so():
    with pytest.raises(ProviderError, match="has no key, and this machine no AWS credentials"):
        await shown(credential())


async def test_a_search_that_found_nothing_is_not_repeated_at_once(monkeypatch: pytest.MonkeyPatch):
    clock = FakeClock()
    asked = credential(clock=clock)
    with pytest.raises(ProviderError):
        await shown(asked)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(ProviderError):
        await shown(asked)
    clock.advance(11)
    assert "authorization" in await shown(asked)


async def test_a_profile_that_is_not_there_is_told():
    with pytest.raises(ProviderError, match="no credentials"):
        await shown(credential("", {"AWS_PROFILE": "nowhere"}))


async def test_a_region_must_be_known():
    with pytest.raises(ProviderError, match="names no AWS region"):
        await shown(credential(f"{ACCESS_KEY}:{SECRET}", base_url="http://127.0.0.1:9"))


async def test_a_missing_package_is_told_with_what_would_do(monkeypatch: pytest.MonkeyPatch):
    imported = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("botocore"):
            raise ModuleNotFoundError(name)
        return imported(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ProviderError, match="install botocore"):
        await shown(credential(f"{ACCESS_KEY}:{SECRET}"))


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        (f"{EU}/", EU),
        ("https://bedrock.eu-central-1.amazonaws.com", EU),
        ("https://bedrock-fips.us-east-1.amazonaws.com", "https://bedrock-runtime-fips.us-east-1.amazonaws.com"),
        ("https://proxy.lan/bedrock/", "https://proxy.lan/bedrock"),
    ],
)
def test_base_urls_have_one_form(given: str, stored: str):
    vendor = vendor_for("aws-bedrock")
    assert vendor is not None
    assert normalise_base_url(vendor, given) == stored


def test_a_query_is_refused():
    with pytest.raises(ValueError, match="no query"):
        bedrock.base_url(urlsplit(f"{EU}?region=x"))


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("bedrock-runtime.eu-central-1.amazonaws.com", "eu-central-1"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("vpce-1a.bedrock-runtime.us-east-1.vpce.amazonaws.com", "us-east-1"),
        ("localhost", ""),
    ],
)
def test_hosts_name_their_region(host: str, region: str):
    assert bedrock.region(host) == region


def test_models_are_listed_by_a_server_of_their_own():
    assert bedrock.models_url(EU) == "https://bedrock.eu-central-1.amazonaws.com/foundation-models"
    assert bedrock.models_url("http://127.0.0.1:9/x") == "http://127.0.0.1:9/x/foundation-models"


def test_a_region_alone_declares_nothing():
    assert vendors_in_environment({"AWS_REGION": "eu-central-1"}) == []
    (declared,) = vendors_in_environment({"AWS_REGION": "eu-central-1", "AWS_BEARER_TOKEN_BEDROCK": API_KEY})
    assert (declared.type, declared.base_url, declared.api_key) == ("bedrock", EU, API_KEY)
    (declared,) = vendors_in_environment({"BEDROCK_BASE_URL": EU})
    assert (declared.base_url, declared.api_key) == (EU, "")


def test_the_list_goes_on_with_profiles_and_their_pages():
    listing, first = BedrockList(), URL(bedrock.models_url(EU))
    begun = listing.first(first)
    assert str(begun) == "https://bedrock.eu-central-1.amazonaws.com/foundation-models?byOutputModality=TEXT"
    second = listing.following(begun, b'{"modelSummaries": []}')
    assert str(second) == "https://bedrock.eu-central-1.amazonaws.com/inference-profiles?maxResults=1000"
    profiles = b'{"inferenceProfileSummaries": [], "nextToken": "a/b+c=="}'
    assert str(listing.following(begun, profiles)).endswith("?maxResults=1000&nextToken=a%2Fb%2Bc%3D%3D")
    assert listing.following(begun, b'{"inferenceProfileSummaries": []}') is None


def test_profiles_are_named_by_what_can_be_called():
    profiles = [
        {"inferenceProfileId": "eu.a", "inferenceProfileArn": "arn:a", "status": "ACTIVE", "type": "SYSTEM_DEFINED"},
        {"inferenceProfileId": "x1", "inferenceProfileArn": PROFILE, "status": "ACTIVE", "type": "APPLICATION"},
        {"inferenceProfileId": "gone", "status": "INACTIVE"},
    ]
    assert BedrockList().names(json.dumps({"inferenceProfileSummaries": profiles}).encode()) == ["eu.a", PROFILE]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"message": "no"}', b'{"modelSummaries": 7}'])
def test_what_is_no_list_is_told(body: bytes):
    with pytest.raises(RefreshFailed):
        BedrockList().names(body)
