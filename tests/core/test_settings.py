"""The settings: every variable read, every bad value refused by name."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest

from core.settings import RESERVED, VARIABLES, Address, Registration, Settings, SettingsError, load

# variable → (what is set, what it becomes)
GOOD: dict[str, tuple[str, Any]] = {
    "LLMROUTER_HTTP_ADDR": ("0.0.0.0:80", Address("0.0.0.0", 80)),
    "LLMROUTER_GRPC_ADDR": ("[::1]:50051", Address("::1", 50051)),
    "LLMROUTER_DATA_DIR": ("/var/lib/llmrouter", Path("/var/lib/llmrouter")),
    "LLMROUTER_DATABASE_URL": ("postgres://u:p@db/r", "postgresql+asyncpg://u:p@db/r"),
    "LLMROUTER_REDIS_URL": ("redis://cache:6379/0", "redis://cache:6379/0"),
    "LLMROUTER_SECRET_KEY": ("0123456789abcdef", "0123456789abcdef"),
    "LLMROUTER_SECRET_KEYS_OLD": ("one-old-key-of-ours, another-old-key", ("one-old-key-of-ours", "another-old-key")),
    "LLMROUTER_ADMIN_EMAIL": ("ann@example.com", "ann@example.com"),
    "LLMROUTER_ADMIN_PASSWORD": ("correct horse", "correct horse"),
    "LLMROUTER_BOOTSTRAP_TOKEN": ("once", "once"),
    "LLMROUTER_REGISTRATION": ("Open", Registration.OPEN),
    "LLMROUTER_PUBLIC_URL": ("https://llm.example.com/", "https://llm.example.com"),
    "LLMROUTER_CORS_ORIGINS": ("https://a.example, https://b.example,", ("https://a.example", "https://b.example")),
    "LLMROUTER_TRUSTED_PROXIES": ("10.0.0.0/8,::1", ("10.0.0.0/8", "::1")),
    "LLMROUTER_ECHO": ("yes", True),
    "LLMROUTER_ECHO_TOKENS_PER_SECOND": ("0", 0.0),
    "LLMROUTER_CORE_WORKERS": ("4", 4),
    "LLMROUTER_FACADE_WORKERS": ("2", 2),
    "LLMROUTER_CONFIG": ("llmrouter.yaml", Path("llmrouter.yaml")),
    "LLMROUTER_LOG_LEVEL": ("DEBUG", "debug"),
    "LLMROUTER_LOG_FORMAT": ("json", "json"),
    "LLMROUTER_SESSION_TTL": ("3600", 3600.0),
    "LLMROUTER_JWT_TTL": ("900", 900.0),
    "LLMROUTER_REQUEST_TIMEOUT": ("90.5", 90.5),
    "LLMROUTER_MAX_BODY": ("1048576", 1048576),
    "LLMROUTER_DRAIN_TIMEOUT": ("0", 0.0),
    "LLMROUTER_JOURNAL_LIMIT": ("1073741824", 1 << 30),
    "LLMROUTER_USAGE_RETENTION_DAYS": ("90", 90),
    "LLMROUTER_RESPONSES_KEEP": ("7", 7),
}

BAD = [
    ("LLMROUTER_CORS_ORIGINS", "https://a.example,notaurl"),
    ("LLMROUTER_HTTP_ADDR", "8080"),
    ("LLMROUTER_HTTP_ADDR", "127.0.0.1:65536"),
    ("LLMROUTER_GRPC_ADDR", "localhost:grpc"),
    ("LLMROUTER_DATABASE_URL", "mysql://db/r"),
    ("LLMROUTER_SECRET_KEY", "short"),
    ("LLMROUTER_REGISTRATION", "anyone"),
    ("LLMROUTER_PUBLIC_URL", "llm.example.com"),
    ("LLMROUTER_ECHO", "maybe"),
    ("LLMROUTER_ECHO_TOKENS_PER_SECOND", "nan"),
    ("LLMROUTER_CORE_WORKERS", "0"),
    ("LLMROUTER_CORE_WORKERS", "65"),
    ("LLMROUTER_FACADE_WORKERS", "two"),
    ("LLMROUTER_LOG_LEVEL", "loud"),
    ("LLMROUTER_LOG_FORMAT", "xml"),
    ("LLMROUTER_SESSION_TTL", "1"),
    ("LLMROUTER_JWT_TTL", "9999999"),
    ("LLMROUTER_REQUEST_TIMEOUT", "soon"),
    ("LLMROUTER_MAX_BODY", "32MB"),
    ("LLMROUTER_TRUSTED_PROXIES", "proxy.example.com"),
    ("LLMROUTER_DRAIN_TIMEOUT", "-1"),
    ("LLMROUTER_JOURNAL_LIMIT", "1"),
    ("LLMROUTER_USAGE_RETENTION_DAYS", "-1"),
    ("LLMROUTER_RESPONSES_KEEP", "for ever"),
]

# These go together, so each needs the other.
PAIR = {"LLMROUTER_ADMIN_EMAIL": "ann@example.com", "LLMROUTER_ADMIN_PASSWORD": "correct horse"}


def test_every_variable_is_tried_here():
    assert GOOD.keys() == VARIABLES.keys()


@pytest.mark.parametrize("variable", GOOD)
def test_a_variable_is_read_into_its_field(variable: str):
    raw, expected = GOOD[variable]
    settings = load((PAIR if variable in PAIR else {}) | {variable: raw})
    assert getattr(settings, VARIABLES[variable][0]) == expected


@pytest.mark.parametrize(("variable", "raw"), BAD)
def test_a_bad_value_is_refused_by_the_name_of_its_variable(variable: str, raw: str):
    with pytest.raises(SettingsError, match=f"^{variable}: .*"):
        load({variable: raw})


def test_without_any_variable_all_have_a_default():
    assert load({}) == Settings()


def test_an_empty_variable_counts_as_not_set():
    assert load({"LLMROUTER_CORE_WORKERS": "  "}) == Settings()


def test_a_misspelt_setting_is_refused():
    with pytest.raises(SettingsError, match="LLMROUTER_HTTP_ADRR is not a setting"):
        load({"LLMROUTER_HTTP_ADRR": "127.0.0.1:1"})


def test_other_peoples_variables_are_none_of_our_business():
    assert load({"HTTP_ADDR": "?", "MY_LLMROUTER_THING": "?"}).environ["HTTP_ADDR"] == "?"


def test_two_servers_do_not_share_an_address():
    with pytest.raises(SettingsError, match="the same"):
        load({"LLMROUTER_HTTP_ADDR": "127.0.0.1:9000", "LLMROUTER_GRPC_ADDR": "127.0.0.1:9000"})


@pytest.mark.parametrize("missing", PAIR)
def test_the_administrators_address_and_password_go_together(missing: str):
    with pytest.raises(SettingsError, match="go together"):
        load({name: value for name, value in PAIR.items() if name != missing})


def test_the_environment_wins_over_the_file(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text(
        "LLMROUTER_CORE_WORKERS=3\nexport LLMROUTER_FACADE_WORKERS='5'\n# LLMROUTER_ECHO=1\nGROQ_API_KEY=gsk\n"
    )
    settings = load({"LLMROUTER_CORE_WORKERS": "2"}, file)
    assert (settings.core_workers, settings.facade_workers, settings.echo) == (2, 5, False)
    assert settings.environ["GROQ_API_KEY"] == "gsk"


def test_a_misspelt_setting_in_the_file_is_refused_too(tmp_path: Path):
    file = tmp_path / ".env"
    file.write_text("LLMROUTER_CORE_WORKER=3\n")
    with pytest.raises(SettingsError, match="LLMROUTER_CORE_WORKER is not a setting"):
        load({}, file)


def test_a_file_that_is_not_there_is_no_file(tmp_path: Path):
    assert load({}, tmp_path / ".env") == Settings()


def test_no_secret_is_in_the_repr():
    secrets = {
        "LLMROUTER_SECRET_KEY": "the secret key itself",
        "LLMROUTER_SECRET_KEYS_OLD": "an older secret key",
        "LLMROUTER_DATABASE_URL": "postgresql://router:database-password@db/router",
        "LLMROUTER_REDIS_URL": "redis://:redis-password@cache",
        "LLMROUTER_BOOTSTRAP_TOKEN": "bootstrap-token",
        "OPENAI_API_KEY": "sk-upstream",
        **PAIR,
    }
    shown = repr(load(secrets))
    for value in ("the secret", "older", "database-password", "redis-password", "bootstrap-token", "sk-", "horse"):
        assert value not in shown


@pytest.mark.parametrize("port_only", [":8080", "0.0.0.0:8080"])
def test_a_port_alone_means_every_interface(port_only: str):
    assert load({"LLMROUTER_HTTP_ADDR": port_only}).http_addr == Address("0.0.0.0", 8080)


def test_an_address_is_written_as_it_is_read():
    for text in ("127.0.0.1:8080", "[::1]:8080"):
        assert str(load({"LLMROUTER_HTTP_ADDR": text}).http_addr) == text


def test_the_database_is_in_the_data_directory_unless_another_is_named():
    settings = load({"LLMROUTER_DATA_DIR": "/srv/router"})
    assert settings.resolved_database_url == "sqlite+aiosqlite:////srv/router/llmrouter.db"
    assert settings.on_sqlite
    assert not load({"LLMROUTER_DATABASE_URL": "postgresql://db/r"}).on_sqlite


def test_links_are_made_for_the_http_address_unless_another_is_named():
    assert load({"LLMROUTER_HTTP_ADDR": "127.0.0.1:81"}).resolved_public_url == "http://127.0.0.1:81"
    assert load({"LLMROUTER_PUBLIC_URL": "https://llm.example"}).resolved_public_url == "https://llm.example"


def test_sockets_are_in_the_data_directory():
    assert load({"LLMROUTER_DATA_DIR": "/srv/router"}).run_dir == Path("/srv/router/run")


@pytest.mark.parametrize("directory", ["/srv/" + "d" * 100, "/srv/with space", "/srv/100%", "/srv/é"])
def test_sockets_are_elsewhere_where_the_path_is_too_long_or_odd(directory: str):
    settings, other = (load({"LLMROUTER_DATA_DIR": path}) for path in (directory, directory + "2"))
    assert settings.run_dir.parent == Path(tempfile.gettempdir())
    assert str(os.getuid()) in settings.run_dir.name
    assert settings.run_dir == load({"LLMROUTER_DATA_DIR": directory}).run_dir
    assert settings.run_dir != other.run_dir


def test_what_is_set_and_has_no_effect_is_known():
    settings = load({"LLMROUTER_BOOTSTRAP_TOKEN": "once", "LLMROUTER_LOG_LEVEL": "info"})
    assert settings.without_effect == ("LLMROUTER_BOOTSTRAP_TOKEN",)
    assert Settings().without_effect == ()


def test_every_setting_is_read_but_those_that_say_that_they_are_not():
    root = Path(__file__).parents[2]
    sources = [path for part in ("core", "facade") for path in (root / part).rglob("*.py")]
    code = "\n".join(path.read_text() for path in sources if path.name != "settings.py")
    own = (root / "core" / "settings.py").read_text()
    unread = [
        variable
        for variable, (field, _) in VARIABLES.items()
        if f"settings.{field}" not in code and f"self.{field}" not in own
    ]
    assert sorted(unread) == sorted(RESERVED)
