"""Which headers of a relayed call may go on to a provider."""

import pytest

from core.rpc.relayed_headers import passed_on
from llmrouter.v1 import router_pb2 as pb


def opened(*headers: tuple[str, str]) -> pb.CallOpen:
    return pb.CallOpen(headers=[pb.Header(name=name, value=value) for name, value in headers])


def test_those_of_a_wire_go_on_in_lower_case():
    assert passed_on(opened(("Anthropic-Version", "2026-10-21"), ("anthropic-beta", "a,b"))) == [
        ("anthropic-version", "2026-10-21"),
        ("anthropic-beta", "a,b"),
    ]


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "host", "content-length", ""])
def test_no_other_does(name: str):
    assert passed_on(opened((name, "value"))) == []


@pytest.mark.parametrize("value", ["", "a\r\nx-api-key: stolen", "a\0", "é", "x" * 8191])
def test_no_value_does_that_would_break_an_http_head(value: str):
    assert passed_on(opened(("anthropic-beta", value))) == []


def test_their_number_has_a_bound():
    assert len(passed_on(opened(*[("anthropic-beta", str(number)) for number in range(100)]))) == 16


def test_the_type_of_a_body_goes_on_where_it_is_a_form():
    form = ("content-type", "multipart/form-data; boundary=x")
    assert passed_on(opened(("Content-Type", form[1]))) == [form]
    for other in ("application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/mixed; boundary=x"):
        assert passed_on(opened(("content-type", other))) == []
