"""Base URLs in one form, and the providers that an environment declares."""

import re
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.providers.declared import DeclaredVendor, normalise_base_url, vendors_in_environment
from core.providers.vendors import VENDORS, Vendor, vendor_for
from tests.support.targets import here


def _vendor(type_: str) -> Vendor:
    vendor = vendor_for(type_)
    assert vendor is not None
    return vendor


@pytest.mark.parametrize(
    ("type_", "given_", "normal"),
    [
        # Both conventions are right for both.
        ("openai", "https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("openai", "https://api.openai.com", "https://api.openai.com/v1"),
        ("anthropic", "https://api.anthropic.com", "https://api.anthropic.com/v1"),
        ("anthropic", "https://api.anthropic.com/v1/", "https://api.anthropic.com/v1"),
        # The whole path of the vendor's URL is what a bare host lacks.
        ("groq", "https://api.groq.com", "https://api.groq.com/openai/v1"),
        ("zai", "https://api.z.ai/", "https://api.z.ai/api/paas/v4"),
        ("cohere", "https://api.cohere.com", "https://api.cohere.com/compatibility/v1"),
        (
            "gemini",
            "https://generativelanguage.googleapis.com",
            "https://generativelanguage.googleapis.com/v1beta",
        ),
        ("deepinfra", "https://api.deepinfra.com", "https://api.deepinfra.com/v1/openai"),
        ("ollama", "http://gpu:11434", "http://gpu:11434/v1"),
        # Where the vendor's URL names no version, or there is none, nothing is added.
        ("deepseek", "https://api.deepseek.com/", "https://api.deepseek.com"),
        ("openai-compatible", "http://llm.lan:9000", "http://llm.lan:9000"),
        ("databricks", "https://w.cloud.databricks.com", "https://w.cloud.databricks.com"),
        # The Anthropic wire's URLs are given without the version.
        ("anthropic", "https://proxy.lan/anthropic/", "https://proxy.lan/anthropic/v1"),
        ("anthropic-compatible", "https://api.deepseek.com/anthropic", "https://api.deepseek.com/anthropic/v1"),
        ("anthropic-compatible", "http://gpu:8000", "http://gpu:8000/v1"),
        # A path is the user's.
        ("openai", "https://proxy.lan/openai", "https://proxy.lan/openai"),
        ("openai", "https://proxy.lan/openai/v2//", "https://proxy.lan/openai/v2"),
        ("deepseek", "https://api.deepseek.com/v1", "https://api.deepseek.com/v1"),
        ("groq", "https://proxy.lan/v1", "https://proxy.lan/v1"),
        # Space, slashes, ports, addresses.
        ("openai", "  https://api.openai.com/v1///\n", "https://api.openai.com/v1"),
        ("openai", "HTTPS://api.openai.com/v1", "https://api.openai.com/v1"),
        ("vllm", "http://[::1]:8000", "http://[::1]:8000/v1"),
        ("vllm", "http://10.0.0.7:8000/v1", "http://10.0.0.7:8000/v1"),
    ],
)
def test_normal_form(type_: str, given_: str, normal: str) -> None:
    assert normalise_base_url(_vendor(type_), given_) == normal


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("api.openai.com", "http://"),
        ("api.openai.com/v1", "http://"),
        ("localhost:8000", "http://"),
        ("//api.openai.com/v1", "http://"),
        ("ftp://api.openai.com", "http://"),
        ("file:///etc/passwd", "http://"),
        ("unix:///run/llm.sock", "http://"),
        ("http://", "host"),
        ("https:///v1", "host"),
        ("https://:8000/v1", "host"),
        ("https://host:port/v1", "port"),
        ("https://host:99999/v1", "port"),
        ("https://[::1/v1", "host"),
        ("https://user:sk-sesame@host/v1", "password"),
        ("https://sk-sesame@host/v1", "user name"),
        ("https://@host/v1", "user name"),
        ("https://host/v1?key=sk-sesame", "query"),
        ("https://host/v1?", "query"),
        ("https://host/v1#sk-sesame", "fragment"),
        ("https://ho st/v1", "space"),
        ("https://host/v1\nX-Evil: 1", "space"),
        ("https://host\x00/v1", "control"),
        ("https://host\\@evil/v1", "backslash"),
    ],
)
def test_refused(url: str, says: str) -> None:
    with pytest.raises(ValueError, match="OpenAI") as caught:
        normalise_base_url(_vendor("openai"), url)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://user:sk-sesame@host",
        "https://user:sk-sesame/x@host",
        "https://host:sk-sesame",
        "https://[sk-sesame]/",
        "https://host/v1?key=sk-sesame",
        "sk-sesame",
        "https://host/ sk-sesame",
    ],
)
def test_a_refusal_keeps_secrets(url: str) -> None:
    with pytest.raises(ValueError) as caught:
        normalise_base_url(_vendor("openai"), url)
    assert "sesame" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_refusal_shows_what_is_right() -> None:
    with pytest.raises(ValueError, match=r"https://api\.groq\.com/openai/v1"):
        normalise_base_url(_vendor("groq"), "api.groq.com")


@given(st.sampled_from(VENDORS), st.text())
def test_anything_is_refused_or_normal(vendor: Vendor, text: str) -> None:
    for url in (text, f"https://{text}", f"https://host/{text}"):
        try:
            normal = normalise_base_url(vendor, url)
        except ValueError:
            continue
        assert normal.startswith(("http://", "https://"))
        assert not normal.endswith("/")
        assert normalise_base_url(vendor, normal) == normal


def test_an_empty_environment_declares_nothing() -> None:
    assert vendors_in_environment({}) == []
    assert vendors_in_environment({"PATH": "/bin", "OPENAI_MODEL": "gpt"}) == []


def test_a_key_declares_a_provider() -> None:
    assert vendors_in_environment({"GROQ_API_KEY": "gsk_1"}) == [
        DeclaredVendor("groq", "gsk_1", "https://api.groq.com/openai/v1")
    ]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.type)
def test_every_vendor_can_be_declared(vendor: Vendor) -> None:
    environ = dict.fromkeys(vendor.key_env[:1], "k") | {vendor.base_url_env: here(vendor)}
    key = "k" if vendor.key_env else ""
    if vendor.tidy is not None:  # tested with its vendor
        url = normalise_base_url(vendor, here(vendor))
    else:
        url = f"https://proxy.lan/here{vendor.wires[0].version}"
    assert vendors_in_environment(environ) == [DeclaredVendor(vendor.type, key, url)]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.type)
def test_every_key_variable_counts(vendor: Vendor) -> None:
    for name in vendor.key_env:
        declared = vendors_in_environment({name: "k", vendor.base_url_env: here(vendor)})
        assert [(one.type, one.api_key) for one in declared] == [(vendor.type, "k")]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.type)
def test_what_is_not_enough(vendor: Vendor) -> None:
    keys = dict.fromkeys(vendor.key_env, "k")
    url = {vendor.base_url_env: here(vendor)}
    by_key_alone = [one.type for one in vendors_in_environment(keys)]
    by_url_alone = [one.type for one in vendors_in_environment(url)]
    assert by_key_alone == ([vendor.type] if vendor.needs_key and vendor.base_url else [])
    assert by_url_alone == ([] if vendor.needs_key else [vendor.type])


def test_the_base_url_is_made_normal() -> None:
    environ = {
        "ANTHROPIC_API_KEY": "a",
        "ANTHROPIC_BASE_URL": "https://proxy.lan",
        "OLLAMA_BASE_URL": " http://gpu:11434/ ",
    }
    assert [(one.type, one.base_url) for one in vendors_in_environment(environ)] == [
        ("anthropic", "https://proxy.lan/v1"),
        ("ollama", "http://gpu:11434/v1"),
    ]


def test_set_to_nothing_is_not_set() -> None:
    assert vendors_in_environment({"OPENAI_API_KEY": "", "OLLAMA_BASE_URL": " "}) == []
    assert vendors_in_environment({"OPENAI_API_KEY": "sk", "OPENAI_BASE_URL": ""}) == [
        DeclaredVendor("openai", "sk", "https://api.openai.com/v1")
    ]


def test_keys_lose_the_space_around_them() -> None:
    assert vendors_in_environment({"OPENAI_API_KEY": " sk\n"})[0].api_key == "sk"


def test_the_first_variable_wins() -> None:
    environ = {"GOOGLE_API_KEY": "second", "GEMINI_API_KEY": "first"}
    assert [one.api_key for one in vendors_in_environment(environ)] == ["first"]
    assert [one.api_key for one in vendors_in_environment(environ | {"GEMINI_API_KEY": ""})] == ["second"]


def test_a_vendor_with_no_address_of_its_own_needs_one() -> None:
    assert vendors_in_environment({"DATABRICKS_TOKEN": "dapi"}) == []
    url = "https://w.cloud.databricks.com/serving-endpoints"
    assert vendors_in_environment({"DATABRICKS_TOKEN": "dapi", "DATABRICKS_BASE_URL": url}) == [
        DeclaredVendor("databricks", "dapi", url)
    ]


@pytest.mark.parametrize("vendor", [vendor for vendor in VENDORS if vendor.url_from], ids=lambda vendor: vendor.type)
def test_a_base_url_is_made_of_variables_once_all_are_set(vendor: Vendor) -> None:
    key = dict.fromkeys(vendor.key_env[:1], "k")
    for template in vendor.url_from:
        names = re.findall(r"{(\w+)}", template)
        values = {name: "https://r.lan/" if name.endswith("_ENDPOINT") else "2024-10-21" for name in names}
        declared = vendors_in_environment(key | values)
        assert [one.type for one in declared] == [vendor.type]
        assert declared[0].base_url.startswith("https://")
        assert "{" not in declared[0].base_url
        assert vendors_in_environment(key | {name: "x" for name in names if name != names[0]}) == []


def test_a_local_server_may_have_a_key() -> None:
    environ = {"VLLM_API_KEY": "k", "VLLM_BASE_URL": "http://gpu:8000"}
    assert vendors_in_environment(environ) == [DeclaredVendor("vllm", "k", "http://gpu:8000/v1")]


def test_the_order_is_that_of_the_table() -> None:
    environ = {name: "k" for vendor in reversed(VENDORS) for name in vendor.key_env}
    declared = [one.type for one in vendors_in_environment(environ)]
    assert declared == [vendor.type for vendor in VENDORS if vendor.needs_key and vendor.base_url]


def test_a_base_url_that_cannot_be_used_is_named() -> None:
    with pytest.raises(ValueError, match=r"^GROQ_BASE_URL: "):
        vendors_in_environment({"GROQ_API_KEY": "k", "GROQ_BASE_URL": "api.groq.com"})
    # Nobody asked for it, so nobody need mend it.
    assert vendors_in_environment({"GROQ_BASE_URL": "api.groq.com"}) == []


def test_keys_do_not_show() -> None:
    declared = vendors_in_environment({"OPENAI_API_KEY": "sk-sesame"})
    assert "sesame" not in repr(declared)
