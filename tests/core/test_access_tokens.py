"""Access tokens: what one of ours is, and that nothing else is taken for one."""

import base64
import json
from datetime import UTC, datetime

import jwt
import pytest

from core.access_tokens import AccessTokens, Claims, looks_like_one
from core.secrets import derive

KEY = "a secret key for tests alone"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

TOKENS = AccessTokens(KEY)


def issued() -> str:
    return TOKENS.issue(7, "a password's hash", NOW, 60)


def test_a_token_says_for_whom_and_how_long():
    assert looks_like_one(issued())
    assert TOKENS.read(issued()) == Claims(7, TOKENS.digest("a password's hash"), NOW.timestamp() + 60)


def test_a_token_is_a_jwt_that_tells_nothing_of_the_password():
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in issued().split(".")[:2])
    assert header == {"alg": "HS256", "typ": "JWT"}
    assert set(claims) == {"sub", "iat", "exp", "pwd"}
    assert claims["pwd"] != AccessTokens("another secret key").digest("a password's hash")


def test_the_key_is_not_the_secret_key_itself():
    forged = jwt.encode({"sub": "7", "exp": 2**33, "pwd": ""}, KEY.ljust(32), algorithm="HS256")
    assert TOKENS.read(forged) is None


def signed(claims: object, **header: str) -> str:
    """A token with our own key, whatever it says."""
    parts = ({"alg": "HS256", "typ": "JWT", **header}, claims)
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    algorithm = jwt.get_algorithm_by_name("HS256")
    signature = algorithm.sign(text.encode(), derive(KEY, "access-tokens"))
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


GOOD = {"sub": "7", "exp": 2**33, "pwd": "x"}


def test_the_forger_below_signs_well():
    assert TOKENS.read(signed(GOOD)) == Claims(7, "x", 2.0**33)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "..",
        issued()[:-4] + "AAAA",
        ".".join(["eyJhbGciOiJub25lIn0", *issued().split(".")[1:2], ""]),  # alg: none
        AccessTokens("another secret key").issue(7, "a password's hash", NOW, 60),
        signed(GOOD, alg="none"),
        signed(GOOD, alg="HS512"),
        signed([]),
        signed({}),
        signed({**GOOD, "sub": "x"}),
        signed({**GOOD, "sub": 7}),
        signed({**GOOD, "exp": None}),
        signed({**GOOD, "exp": [1]}),
        signed({"sub": "7", "exp": 2**33}),
        signed({"sub": "7", "pwd": "x"}),
    ],
)
def test_anything_else_is_none(token: str):
    assert TOKENS.read(token) is None
