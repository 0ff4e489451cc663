"""Client addresses: forwarded ones are believed as far as trusted proxies wrote them."""

import pytest
from aiohttp.test_utils import make_mocked_request

from facade.address import ClientAddresses


def address(peer: str, trusted: tuple[str, ...] = (), *forwarded: str) -> str:
    request = make_mocked_request("GET", "/", headers=[("X-Forwarded-For", each) for each in forwarded])
    return ClientAddresses(trusted).of(request.clone(remote=peer))


def test_nobody_is_trusted_by_default():
    assert address("10.0.0.1", (), "1.2.3.4") == "10.0.0.1"


def test_others_than_the_trusted_ones_are_not_believed():
    assert address("9.9.9.9", ("10.0.0.0/8",), "1.2.3.4") == "9.9.9.9"


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        (("1.2.3.4",), "1.2.3.4"),
        (("6.6.6.6, 1.2.3.4",), "1.2.3.4"),  # what the client itself wrote comes first
        (("6.6.6.6, 1.2.3.4, 10.0.0.2",), "1.2.3.4"),
        (("6.6.6.6", "1.2.3.4, 10.0.0.2"), "1.2.3.4"),
        (("1.2.3.4:5678",), "1.2.3.4"),
        (("[2001:db8::1]:443",), "2001:db8::1"),
        (("2001:db8::1",), "2001:db8::1"),
        (("::ffff:1.2.3.4",), "1.2.3.4"),
        (("10.0.0.3, 10.0.0.2",), "10.0.0.3"),  # everybody is a proxy: the farthest one
        (("nonsense",), "10.0.0.1"),
        (("1.2.3.4, nonsense, 10.0.0.2",), "10.0.0.2"),
        (("",), "10.0.0.1"),
        ((), "10.0.0.1"),
    ],
)
def test_the_client_is_the_last_one_before_the_trusted_proxies(forwarded: tuple[str, ...], client: str):
    assert address("10.0.0.1", ("10.0.0.0/8", "::1"), *forwarded) == client


def test_a_caller_on_a_unix_socket_has_no_address():
    assert address("") == ""


def test_what_is_no_network_is_a_mistake():
    with pytest.raises(ValueError, match="example"):
        ClientAddresses(("example.com",))
