"""Which pages may call."""

import pytest
from multidict import CIMultiDict

from facade.origins import Origins
from tests.support.facade import facade_settings

ORIGINS = Origins(facade_settings(public_url="https://router.example/", cors_origins=("https://app.example",)))
ANYONE = Origins(facade_settings(cors_origins=("*",)))


def headers(**values: str) -> CIMultiDict[str]:
    return CIMultiDict({name.replace("_", "-"): value for name, value in {"Host": "router.internal", **values}.items()})


@pytest.mark.parametrize(
    ("sent", "foreign"),
    [
        ({}, False),  # a program
        ({"Origin": "https://router.example"}, False),
        ({"Origin": "HTTPS://ROUTER.EXAMPLE"}, False),
        ({"Origin": "https://app.example", "Sec_Fetch_Site": "cross-site"}, False),
        ({"Origin": "http://router.internal", "Sec_Fetch_Site": "same-origin"}, False),
        ({"Sec_Fetch_Site": "same-origin"}, False),
        ({"Sec_Fetch_Site": "none"}, False),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "https://evil.example", "Sec_Fetch_Site": "same-site"}, True),
        ({"Origin": "http://router.internal:81"}, True),
        ({"Origin": "https://router.example.evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Sec_Fetch_Site": "cross-site"}, True),
        ({"Origin": "http://router.internal", "Sec_Fetch_Site": "cross-site"}, True),
    ],
)
def test_a_foreign_page_is_known_by_what_the_browser_says(sent: dict[str, str], foreign: bool):
    assert ORIGINS.foreign(headers(**sent)) is foreign


def test_an_allowed_page_may_read_answers_with_its_credentials():
    allowed = dict(ORIGINS.answer_headers(headers(Origin="https://app.example")))
    assert allowed["Access-Control-Allow-Origin"] == "https://app.example"
    assert allowed["Access-Control-Allow-Credentials"] == "true"
    assert allowed["Vary"] == "Origin"


@pytest.mark.parametrize("sent", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_no_other_page_may(sent: dict[str, str]):
    assert ORIGINS.answer_headers(headers(**sent)) == (("Vary", "Origin"),)
    assert ORIGINS.preflight_headers(headers(**sent)) == ()


def test_where_everybody_may_nobody_may_with_cookies():
    sent = headers(Origin="https://evil.example")
    answered = dict(ANYONE.answer_headers(sent))
    assert answered["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answered
    assert ANYONE.foreign(sent)


def test_a_preflight_is_told_the_methods_and_the_headers_that_it_asked_for():
    sent = headers(Origin="https://app.example", Access_Control_Request_Headers="authorization,x-stainless-lang")
    answered = dict(ORIGINS.preflight_headers(sent))
    assert answered["Access-Control-Allow-Headers"] == "authorization,x-stainless-lang"
    assert "DELETE" in answered["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("asked", ["x" * 5000, "ü", ""])
def test_a_preflight_that_asks_for_nonsense_gets_the_usual_headers(asked: str):
    sent = headers(Origin="https://app.example", Access_Control_Request_Headers=asked)
    assert "X-API-Key" in dict(ORIGINS.preflight_headers(sent))["Access-Control-Allow-Headers"]
