"""The secret key: how it is kept, and what is encrypted with it."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from core.secrets import Cipher, derive, internal_token, load_or_create, secret_key_file, secret_key_of
from core.settings import Settings, SettingsError

OLD, NEW = "the old secret key", "the new secret key"


def test_what_is_encrypted_can_be_read_and_not_recognised():
    data = Cipher(NEW).encrypt("sk-provider")
    assert b"sk-provider" not in data
    assert Cipher(NEW).decrypt(data) == "sk-provider"
    assert Cipher(NEW).encrypt("sk-provider") != data


def test_after_a_rotation_old_data_stays_readable():
    data = Cipher(OLD).encrypt("sk-provider")
    assert Cipher(NEW, (OLD,)).decrypt(data) == "sk-provider"


def test_rotated_data_needs_the_old_key_no_more():
    data = Cipher(NEW, (OLD,)).rotate(Cipher(OLD).encrypt("sk-provider"))
    assert Cipher(NEW).decrypt(data) == "sk-provider"
    with pytest.raises(ValueError, match="another secret key"):
        Cipher(OLD).decrypt(data)


def test_new_data_is_encrypted_with_the_new_key():
    assert Cipher(NEW).decrypt(Cipher(NEW, (OLD,)).encrypt("sk-provider")) == "sk-provider"


@pytest.mark.parametrize("data", [Cipher(OLD).encrypt("x"), b"", b"no token"], ids=["another key", "empty", "other"])
def test_what_another_key_encrypted_is_refused_without_a_trace_of_it(data: bytes):
    for work in (Cipher(NEW).decrypt, Cipher(NEW).rotate):
        with pytest.raises(ValueError, match="another secret key") as caught:
            work(data)
        assert caught.value.__cause__ is None


def test_each_purpose_has_its_own_bytes():
    assert derive(NEW, "provider-keys") != derive(NEW, "internal") != derive(OLD, "internal")
    assert internal_token(NEW) == internal_token(NEW)
    assert len(bytes.fromhex(internal_token(NEW))) == 32


def test_a_key_is_made_once_and_is_its_owners_alone(tmp_path: Path):
    path = tmp_path / "data" / "secret.key"
    key = load_or_create(path)
    assert len(key) == 64
    assert load_or_create(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["secret.key"]


def test_a_file_that_holds_no_key_is_refused_and_left_alone(tmp_path: Path):
    path = tmp_path / "secret.key"
    path.write_text("short\n")
    with pytest.raises(ValueError, match="holds no secret key"):
        load_or_create(path)
    assert path.read_text() == "short\n"


def test_a_key_that_is_set_wins_over_the_file(tmp_path: Path):
    made = secret_key_of(Settings(data_dir=tmp_path))
    assert secret_key_of(Settings(data_dir=tmp_path)) == made
    assert secret_key_file(Settings(data_dir=tmp_path)).read_text().strip() == made
    assert secret_key_of(Settings(data_dir=tmp_path, secret_key="one that is set")) == "one that is set"


def test_a_file_that_holds_no_key_stops_the_start(tmp_path: Path):
    secret_key_file(Settings(data_dir=tmp_path)).write_text("")
    with pytest.raises(SettingsError, match="holds no secret key"):
        secret_key_of(Settings(data_dir=tmp_path))


def test_what_is_derived_is_what_rfc_5869_says():
    hkdf = HKDF(SHA256(), 32, salt=None, info=b"llmrouter:internal")
    assert derive("a secret key of ours", "internal") == hkdf.derive(b"a secret key of ours")
