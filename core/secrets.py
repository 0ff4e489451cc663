"""The secret key: what is derived from it, and how provider keys are kept.

    secret key ─HKDF─┬─ "provider-keys" ──► Fernet keys: encrypt at rest, current key first
                     └─ "internal"      ──► the token by which the facade shows the core that it is ours

Rotation: put the new key in LLMROUTER_SECRET_KEY and the old one in LLMROUTER_SECRET_KEYS_OLD. Old
data stays readable; `llmrouter providers rotate` encrypts it anew, after which the old key can go.
"""

import base64
import os
import secrets
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def derive(secret_key: str, purpose: str) -> bytes:
    """32 bytes for one purpose (RFC 5869): knowing one purpose's bytes tells nothing of another's."""
    return HKDF(SHA256(), 32, salt=None, info=b"llmrouter:" + purpose.encode()).derive(secret_key.encode())


def internal_token(secret_key: str) -> str:
    """What the facade sends as `x-llmrouter-internal`."""
    return derive(secret_key, "internal").hex()


def load_or_create(path: Path) -> str:
    """The secret key in a file that only its owner can read; made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            text = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            _create(path)
            continue
        if len(text) < 16:
            raise ValueError(f"{path} holds no secret key; restore it, or remove it and enter the provider keys anew")
        return text


def _create(path: Path) -> None:
    """Writes the file whole or not at all; where another process was faster, its key stays."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


class Cipher:
    """Encrypts and decrypts what is kept at rest."""

    def __init__(self, secret_key: str, old: tuple[str, ...] = ()) -> None:
        """Encrypts with `secret_key`; reads what that or any of the old keys encrypted."""
        keys = [base64.urlsafe_b64encode(derive(key, "provider-keys")) for key in (secret_key, *old)]
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """Raises ValueError where no key that we have encrypted it."""
        try:
            return self._fernet.decrypt(data).decode()
        except InvalidToken:
            raise ValueError("encrypted with another secret key") from None

    def rotate(self, data: bytes) -> bytes:
        """The same text, encrypted with the current key. Raises ValueError like decrypt."""
        try:
            return self._fernet.rotate(data)
        except InvalidToken:
            raise ValueError("encrypted with another secret key") from None
