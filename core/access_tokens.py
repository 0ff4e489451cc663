"""Access tokens: JWTs that stand for a user for a short time, signed with a key of our own (HS256).

    {"sub": "7", "iat": …, "exp": …, "pwd": "…"}

`pwd` is a keyed digest of the stored password hash: a token is over once that changes, and tells
nothing of it. Nothing is stored, so a single token can't be taken back; a user's disabling and a
change of the password are what ends them. Only the current secret key counts: one that is being
rotated out may be in somebody else's hands.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime

from core.secrets import derive

_ALGORITHM = "HS256"
_DIGEST_LENGTH = 22


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, its signature checked and its time not."""

    user_id: int
    password_digest: str
    expires_at: float  # seconds since 1970


class AccessTokens:
    """Issues and reads tokens."""

    def __init__(self, secret_key: str) -> None:
        self._key = derive(secret_key, "access-tokens")

    def issue(self, user_id: int, password_hash: str, now: datetime, lifetime: float) -> str:
        """A token for a user; lifetime: in seconds."""
        import jwt  # with all the cryptography that it knows 9 MB, which most installations never need

        issued = int(now.timestamp())
        claims = {
            "sub": str(user_id),
            "iat": issued,
            "exp": issued + int(lifetime),
            "pwd": self.digest(password_hash),
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def read(self, token: str) -> Claims | None:
        """What one of our tokens says; None for anything else. Whether its time is up is the caller's to see."""
        import jwt  # as above

        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                options={"require": ["sub", "exp", "pwd"], "verify_exp": False, "verify_iat": False},
            )
            return Claims(int(claims["sub"]), str(claims["pwd"]), float(claims["exp"]))
        except (jwt.InvalidTokenError, ValueError, TypeError):
            return None

    def digest(self, password_hash: str) -> str:
        """What a token keeps of a password's hash."""
        return hmac.digest(self._key, b"password:" + password_hash.encode(), "sha256").hex()[:_DIGEST_LENGTH]


def looks_like_one(secret: str) -> bool:
    """Whether a secret may be a token: no other credential has two dots."""
    return secret.count(".") == 2
