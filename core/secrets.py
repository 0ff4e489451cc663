"""The secret key: what is derived from it, and how provider keys are kept.

    secret key ─HKDF─┬─ "provider-keys" ──► Fernet keys: encrypt at rest, current key first
                     └─ "internal"      ──► the token by which the facade shows the core that it is ours

Rotation: put the new key in LLMROUTER_SECRET_KEY and the old one in LLMROUTER_SECRET_KEYS_OLD. Old
data stays readable; `llmrouter providers rotate` encrypts it anew, after which the old key can go.
"""

import base64
import hmac
import os
import secrets
from pathlib import Path

from core.settings import Settings, SettingsError

_OTHER_KEY = (
    "its key was encrypted with another secret key: put that into LLMROUTER_SECRET_KEYS_OLD, "
    "or enter the provider's key anew"
)


def derive(secret_key: str, purpose: str) -> bytes:
    """32 bytes for one purpose (HKDF-SHA-256, RFC 5869): knowing one purpose's bytes tells nothing of another's.

    From the standard library, because the facade derives its token and has no other use for OpenSSL's 12 MB.
    """
    key = hmac.digest(bytes(32), secret_key.encode(), "sha256")  # HKDF-Extract without a salt
    return hmac.digest(key, b"llmrouter:" + purpose.encode() + b"\x01", "sha256")  # the one block of HKDF-Expand


def internal_token(secret_key: str) -> str:
    """What the facade sends as `x-llmrouter-internal`."""
    return derive(secret_key, "internal").hex()


def secret_key_file(settings: Settings) -> Path:
    """Where the secret key is kept that nobody has set."""
    return settings.data_dir / "secret.key"


def secret_key_of(settings: Settings) -> str:
    """The secret key: the one of the settings, else the one in the data directory, made where there is none.

    Raises SettingsError where the file holds no key, OSError where it can't be read or made.
    """
    if settings.secret_key:
        return settings.secret_key
    try:
        return load_or_create(secret_key_file(settings))
    except ValueError as error:
        raise SettingsError(str(error)) from None


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
        from cryptography.fernet import Fernet, InvalidToken, MultiFernet  # here, for the sake of the facade

        self._refused = InvalidToken
        keys = [base64.urlsafe_b64encode(derive(key, "provider-keys")) for key in (secret_key, *old)]
        self._fernet = MultiFernet([Fernet(key) for key in keys])

    def encrypt(self, text: str) -> bytes:
        return self._fernet.encrypt(text.encode())

    def decrypt(self, data: bytes) -> str:
        """Raises ValueError where no key that we have encrypted it."""
        try:
            return self._fernet.decrypt(data).decode()
        except self._refused:
            raise ValueError(_OTHER_KEY) from None

    def rotate(self, data: bytes) -> bytes:
        """The same text, encrypted with the current key. Raises ValueError like decrypt."""
        try:
            return self._fernet.rotate(data)
        except self._refused:
            raise ValueError(_OTHER_KEY) from None
