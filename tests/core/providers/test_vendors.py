"""The table of vendors: what holds for every row, and the rows that are easily got wrong."""

import re
from collections import Counter
from dataclasses import FrozenInstanceError
from urllib.parse import urlsplit

import pytest
from genai_prices.data import providers as priced

from core.dialects.anthropic.messages import COUNT_TOKENS, MESSAGES
from core.dialects.gemini import generate as gemini
from core.dialects.openai.chat import CHAT, COMPLETION, EMBEDDING
from core.dialects.passthrough import endpoints
from core.dialects.responses.request import RESPONSES
from core.providers.declared import normalise_base_url
from core.providers.vendors import NEEDED, VENDORS, Capability, StreamUsage, Vendor, vendor_for
from core.providers.wire import OPENAI

_TYPE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.type)


def _more_than_once(names: list[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]


def test_there_are_at_least_thirty_hosted_vendors() -> None:
    assert sum(not vendor.local for vendor in VENDORS) >= 30


def test_names_mean_one_vendor() -> None:
    assert not _more_than_once([name for vendor in VENDORS for name in (vendor.type, *vendor.aliases)])
    assert not _more_than_once([vendor.title for vendor in VENDORS])


def test_variables_mean_one_vendor() -> None:
    assert not _more_than_once([name for vendor in VENDORS for name in (*vendor.key_env, vendor.base_url_env)])


def test_hosted_vendors_have_an_address_each() -> None:
    assert not _more_than_once([vendor.base_url for vendor in VENDORS if vendor.base_url and not vendor.local])


@every_vendor
def test_names_are_well_formed(vendor: Vendor) -> None:
    assert _TYPE.fullmatch(vendor.type)
    assert vendor.title == vendor.title.strip() != ""
    assert all(alias == alias.strip().lower() != "" for alias in vendor.aliases)
    templates = re.findall(r"\{(.*?)\}", "".join(vendor.url_from))
    for variable in (*vendor.key_env, vendor.base_url_env, *templates):
        assert _VARIABLE.fullmatch(variable)
    assert vendor.base_url_env.endswith("_BASE_URL")


@every_vendor
def test_the_address_is_in_the_normal_form(vendor: Vendor) -> None:
    if vendor.base_url:
        assert normalise_base_url(vendor, vendor.base_url) == vendor.base_url
        assert urlsplit(vendor.base_url).scheme == ("http" if vendor.local else "https")


@every_vendor
def test_local_vendors_are_on_this_machine_and_need_no_key(vendor: Vendor) -> None:
    assert vendor.local == (urlsplit(vendor.base_url).hostname == "127.0.0.1")
    if vendor.local:
        assert not vendor.needs_key
        assert vendor.prices_id is None


@every_vendor
def test_the_environment_can_declare_it(vendor: Vendor) -> None:
    assert vendor.key_env or not vendor.needs_key


@every_vendor
def test_the_documentation_is_on_the_web(vendor: Vendor) -> None:
    parts = urlsplit(vendor.docs)
    assert (parts.scheme, bool(parts.hostname)) == ("https", True)


@every_vendor
def test_it_can_chat(vendor: Vendor) -> None:
    operations = {operation for wire in vendor.wires for operation in wire.paths if vendor.has(operation)}
    assert (
        operations
        - endpoints.ALL
        - {COMPLETION, EMBEDDING, COUNT_TOKENS, gemini.COUNT_TOKENS, gemini.EMBED, gemini.EMBED_ONE}
    )


@every_vendor
def test_what_it_can_do_is_on_a_wire_that_it_speaks(vendor: Vendor) -> None:
    operations = {operation for wire in vendor.wires for operation in wire.paths}
    for operation, capability in NEEDED.items():
        assert operation in operations or capability not in vendor.capabilities
    assert vendor.wires[0].listing is not None or Capability.MODELS not in vendor.capabilities


@every_vendor
def test_its_wires_at_its_own_address_are_those_of_its_row(vendor: Vendor) -> None:
    assert vendor.wires_at(vendor.base_url) == vendor.wires


def test_every_capability_but_the_list_of_models_is_an_operation() -> None:
    assert set(NEEDED.values()) == set(Capability) - {Capability.MODELS, Capability.FILES, Capability.BATCHES}
    assert set(OPENAI.paths) == set(NEEDED)
    assert VENDORS[0].capabilities == set(Capability) - {Capability.RERANK}  # which is not OpenAI's


@pytest.mark.parametrize(
    ("type_", "has", "has_not"),
    [
        ("openai", RESPONSES, MESSAGES),
        ("groq", CHAT, COMPLETION),
        ("anthropic", MESSAGES, CHAT),
        ("gemini", gemini.EMBED, CHAT),
        ("perplexity", RESPONSES, CHAT),
        ("openai-compatible", COMPLETION, RESPONSES),
        ("openrouter", MESSAGES, COMPLETION),
        ("openai", endpoints.IMAGE_EDIT, endpoints.RERANK),
        ("groq", endpoints.TRANSLATION, endpoints.IMAGE),
        ("together", endpoints.RERANK, endpoints.MODERATION),
        ("vllm", endpoints.RERANK, endpoints.SPEECH),
        ("anthropic", MESSAGES, endpoints.IMAGE),
    ],
)
def test_operations(type_: str, has: str, has_not: str) -> None:
    vendor = vendor_for(type_)
    assert vendor is not None
    operations = {operation for wire in vendor.wires for operation in wire.paths if vendor.has(operation)}
    assert has in operations
    assert has_not not in operations


@every_vendor
def test_paths_and_headers_can_be_sent(vendor: Vendor) -> None:
    assert vendor.models_path.startswith("/")
    assert not _more_than_once([name.lower() for name, _ in vendor.default_headers])
    assert all(name.lower() != "authorization" for name, _ in vendor.default_headers)


@every_vendor
def test_the_package_of_prices_knows_it(vendor: Vendor) -> None:
    known = {provider.id: provider for provider in priced}
    if vendor.prices_id is not None:
        assert vendor.prices_id in known


@every_vendor
def test_its_prices_are_not_forgotten(vendor: Vendor) -> None:
    """Where the package of prices recognises the vendor's address, the row has an id that it gives."""
    # Several may share an address: an experiment has an entry of its own beside OpenAI's.
    ids = {provider.id for provider in priced if re.match(provider.api_pattern, vendor.base_url)}
    if ids:
        assert vendor.prices_id in ids


def test_rows_are_frozen_and_hashable() -> None:
    vendor = VENDORS[0]
    with pytest.raises(FrozenInstanceError):
        vendor.title = "other"  # pyright: ignore[reportAttributeAccessIssue]
    assert len(set(VENDORS)) == len(VENDORS)


@every_vendor
def test_a_type_finds_its_row(vendor: Vendor) -> None:
    for name in (vendor.type, vendor.type.upper(), f" {vendor.type} ", vendor.type.replace("-", "_")):
        assert vendor_for(name) is vendor
    for alias in vendor.aliases:
        assert vendor_for(alias) is vendor


@pytest.mark.parametrize(
    ("alias", "type_"),
    [
        ("google", "gemini"),
        ("claude", "anthropic"),
        ("Grok", "xai"),
        ("together_ai", "together"),
        ("OpenAI_Compatible", "openai-compatible"),
        ("LM Studio", "lmstudio"),
        ("llama.cpp", "llamacpp"),
        ("hf", "huggingface"),
        ("Azure_OpenAI", "azure"),
        ("Vertex AI", "vertex"),
    ],
)
def test_aliases(alias: str, type_: str) -> None:
    vendor = vendor_for(alias)
    assert vendor is not None
    assert vendor.type == type_


@pytest.mark.parametrize("name", ["", " ", "nobody", "open", "openai/", "github-models", "ai21"])
def test_no_such_vendor(name: str) -> None:
    assert vendor_for(name) is None


@pytest.mark.parametrize(
    ("type_", "usage"),
    [
        ("openai", StreamUsage.ASK),
        ("groq", StreamUsage.ASK),
        ("together", StreamUsage.ASK),
        ("mistral", StreamUsage.ALWAYS),  # answers 422 to include_usage
        ("openrouter", StreamUsage.ALWAYS),
        ("cohere", StreamUsage.NEVER),
        ("databricks", StreamUsage.NEVER),
    ],
)
def test_stream_usage(type_: str, usage: StreamUsage) -> None:
    vendor = vendor_for(type_)
    assert vendor is not None
    assert vendor.stream_usage is usage
