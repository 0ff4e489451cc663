"""What may be said of a provider. The rest of it is tested through AdminService (tests/core/rpc/test_providers.py)."""

import pytest

from core.errors import InvalidArgument
from core.providers import fields
from core.providers.vendors import VENDORS, Vendor

OWN = [vendor for vendor in VENDORS if vendor.base_url]


@pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.type)
def test_every_vendor_is_a_type_by_all_its_names(vendor: Vendor):
    for name in (vendor.type, vendor.type.upper(), *vendor.aliases):
        assert fields.checked_type(name) == vendor.type
    assert fields.own_base_url(vendor.type) == vendor.base_url


@pytest.mark.parametrize("vendor", OWN, ids=lambda vendor: vendor.type)
def test_every_vendors_own_address_stays_what_it_is(vendor: Vendor):
    assert fields.checked_base_url(vendor.type, "") == vendor.base_url
    assert fields.checked_base_url(vendor.type, vendor.base_url) == vendor.base_url


def test_no_vendor_has_the_name_of_the_built_in_provider():
    assert fields.ECHO not in {name for vendor in VENDORS for name in (vendor.type, *vendor.aliases)}
    assert fields.checked_type("echo") == fields.ECHO
    assert fields.own_base_url(fields.ECHO) == ""


@pytest.mark.parametrize("address", ["https://u:hunter2@a.internal", "https://a.internal/?key=hunter2", "hunter2"])
def test_a_refused_address_is_not_repeated(address: str):
    with pytest.raises(InvalidArgument) as caught:
        fields.checked_base_url("openai", address)
    assert "hunter2" not in caught.value.message


def test_a_refused_key_is_not_repeated():
    with pytest.raises(InvalidArgument) as caught:
        fields.checked_key("hunter2 hunter3")
    assert "hunter" not in caught.value.message


def test_a_key_that_is_a_file_of_json_goes_on_one_line():
    assert fields.checked_key(' {\n  "a": "-----BEGIN KEY-----\\nx y"\n}\n') == '{"a":"-----BEGIN KEY-----\\nx y"}'


@pytest.mark.parametrize("key", ['{"hunter2"', '{"hunter2": "\u00e9"}', '{"a": 1} hunter2', '{"a": "\x00"}'])
def test_json_that_is_no_key_is_refused_and_not_repeated(key: str):
    with pytest.raises(InvalidArgument) as caught:
        fields.checked_key(key)
    assert "hunter2" not in caught.value.message
    assert caught.value.field == "api_key"


def test_white_space_around_is_dropped():
    assert fields.checked_name(" main ") == "main"
    assert fields.checked_model("\tsmall ") == "small"
    assert fields.checked_key("\nsk-1\r\n") == "sk-1"
    assert fields.checked_key("  ") == ""
