"""The settings: one typed object, read once from the environment (and `.env`) at start.

No other module reads the environment. Every setting has a default that works; a bad value stops
the start with a message that names the variable.
"""

import ipaddress
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/?#\s@]+/?", re.IGNORECASE)
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+@-]+")


class SettingsError(Exception):
    """A setting that can't be used. The message names the variable and says what would do."""


class Registration(Enum):
    """Who may make an account."""

    OPEN = "open"
    INVITE = "invite"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings. Times are in seconds, sizes in bytes, unless the name says otherwise."""

    http_addr: Address = Address("127.0.0.1", 8080)
    grpc_addr: Address = Address("127.0.0.1", 50051)
    data_dir: Path = Path("data")
    database_url: str = field(default="", repr=False)  # it may hold a password
    redis_url: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)  # empty: generated into the data directory
    secret_keys_old: tuple[str, ...] = field(default=(), repr=False)
    admin_email: str = ""
    admin_password: str = field(default="", repr=False)
    bootstrap_token: str = field(default="", repr=False)
    registration: Registration = Registration.INVITE
    public_url: str = ""
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    echo: bool = False
    echo_tokens_per_second: float = 50.0
    core_workers: int = 1
    facade_workers: int = 1
    config_file: Path | None = None
    log_level: str = "info"
    log_format: str = "text"
    session_ttl: float = 30 * 24 * 3600.0
    jwt_ttl: float = 3600.0
    request_timeout: float = 600.0
    max_body: int = 32 * 1024 * 1024
    drain_timeout: float = 30.0
    journal_limit: int = 4 * 1024 * 1024 * 1024
    usage_retention_days: int = 0  # 0: for ever
    responses_keep: int = 30  # days; 0: none
    environ: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)  # for providers' own variables

    @property
    def resolved_database_url(self) -> str:
        """The database to use: the one that was named, else SQLite in the data directory."""
        return self.database_url or f"sqlite+aiosqlite:///{(self.data_dir / 'llmrouter.db').absolute()}"

    @property
    def on_sqlite(self) -> bool:
        return self.resolved_database_url.startswith("sqlite")

    @property
    def resolved_public_url(self) -> str:
        """The address that links and cookies are made for."""
        return self.public_url or f"http://{self.http_addr}"

    @property
    def run_dir(self) -> Path:
        """Where the sockets are: in the data directory, unless its path does not suit a socket's address.

        Such an address has at most 103 bytes on macOS and 107 on Linux, and gRPC reads some characters its own way.
        """
        path = (self.data_dir / "run").absolute()
        if len(os.fsencode(path)) + len("/facade-63.sock") <= 103 and _PLAIN_PATH.fullmatch(str(path)):
            return path
        import hashlib  # here: hardly anybody needs them
        import tempfile

        name = hashlib.sha256(os.fsencode(path)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"llmrouter-{os.getuid()}-{name}"

    @property
    def without_effect(self) -> tuple[str, ...]:
        """The variables that were set although nothing reads them yet."""
        return tuple(variable for variable in RESERVED if variable in self.environ)

    @property
    def journal_dir(self) -> Path:
        return self.data_dir / "journal"

    @property
    def limits_dir(self) -> Path:
        return self.data_dir / "limits"


def _text(raw: str) -> str:
    return raw


def _bool(raw: str) -> bool:
    value = raw.lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off", ""):
        return False
    raise ValueError("must be 0 or 1")


def _number(low: float, high: float):
    def parse(raw: str) -> float:
        try:
            value = float(raw)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return value

    return parse


def _count(low: int, high: int):
    def parse(raw: str) -> int:
        value = int(raw) if raw.isascii() and raw.isdigit() and len(raw) < 20 else low - 1
        if not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return value

    return parse


def _choice(*values: str):
    def parse(raw: str) -> str:
        if raw.lower() not in values:
            raise ValueError(f"must be one of {', '.join(values)}")
        return raw.lower()

    return parse


def _registration(raw: str) -> Registration:
    return Registration(_choice(*(r.value for r in Registration))(raw))


def _list(raw: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def _origins(raw: str) -> tuple[str, ...]:
    origins = _list(raw)
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise ValueError("must be origins such as https://app.example.com, parted by commas")
    return origins


def _networks(raw: str) -> tuple[str, ...]:
    networks = _list(raw)
    for network in networks:
        ipaddress.ip_network(network, strict=False)
    return networks


def _address(raw: str) -> Address:
    host, colon, port = raw.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("must be HOST:PORT, such as 127.0.0.1:8080")
    return Address(host or "0.0.0.0", int(port))  # noqa: S104 - ":8080" means every interface, as people expect


def _database_url(raw: str) -> str:
    """Accepts the forms that people paste and names the async driver in each."""
    for old, new in (
        ("postgres://", "postgresql+asyncpg://"),
        ("postgresql://", "postgresql+asyncpg://"),
        ("sqlite:///", "sqlite+aiosqlite:///"),
    ):
        if raw.startswith(old):
            return new + raw[len(old) :]
    if not raw.startswith(("postgresql+asyncpg://", "sqlite+aiosqlite:///")):
        raise ValueError("must begin with postgresql+asyncpg:// or sqlite+aiosqlite:///")
    return raw


def _url(raw: str) -> str:
    parts = urlsplit(raw)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("must be an http or https address")
    return raw.rstrip("/")


def _redis_url(raw: str) -> str:
    if not raw.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError("must begin with redis://, rediss:// or unix://")
    return raw


def _secret_key(raw: str) -> str:
    if len(raw) < 16:
        raise ValueError("must have 16 characters or more; `openssl rand -hex 32` makes a good one")
    return raw


# variable → (field, parser). The README's table of settings is checked against this one.
VARIABLES = {
    "LLMROUTER_HTTP_ADDR": ("http_addr", _address),
    "LLMROUTER_GRPC_ADDR": ("grpc_addr", _address),
    "LLMROUTER_DATA_DIR": ("data_dir", Path),
    "LLMROUTER_DATABASE_URL": ("database_url", _database_url),
    "LLMROUTER_REDIS_URL": ("redis_url", _redis_url),
    "LLMROUTER_SECRET_KEY": ("secret_key", _secret_key),
    "LLMROUTER_SECRET_KEYS_OLD": ("secret_keys_old", _list),
    "LLMROUTER_ADMIN_EMAIL": ("admin_email", _text),
    "LLMROUTER_ADMIN_PASSWORD": ("admin_password", _text),
    "LLMROUTER_BOOTSTRAP_TOKEN": ("bootstrap_token", _text),
    "LLMROUTER_REGISTRATION": ("registration", _registration),
    "LLMROUTER_PUBLIC_URL": ("public_url", _url),
    "LLMROUTER_CORS_ORIGINS": ("cors_origins", _origins),
    "LLMROUTER_TRUSTED_PROXIES": ("trusted_proxies", _networks),
    "LLMROUTER_ECHO": ("echo", _bool),
    "LLMROUTER_ECHO_TOKENS_PER_SECOND": ("echo_tokens_per_second", _number(0, 1_000_000)),
    "LLMROUTER_CORE_WORKERS": ("core_workers", _count(1, 64)),
    "LLMROUTER_FACADE_WORKERS": ("facade_workers", _count(1, 64)),
    "LLMROUTER_CONFIG": ("config_file", Path),
    "LLMROUTER_LOG_LEVEL": ("log_level", _choice("debug", "info", "warning", "error")),
    "LLMROUTER_LOG_FORMAT": ("log_format", _choice("text", "json")),
    "LLMROUTER_SESSION_TTL": ("session_ttl", _number(60, 10 * 365 * 24 * 3600)),
    "LLMROUTER_JWT_TTL": ("jwt_ttl", _number(60, 30 * 24 * 3600)),
    "LLMROUTER_REQUEST_TIMEOUT": ("request_timeout", _number(1, 24 * 3600)),
    "LLMROUTER_MAX_BODY": ("max_body", _count(1024, 1024 * 1024 * 1024)),
    "LLMROUTER_DRAIN_TIMEOUT": ("drain_timeout", _number(0, 24 * 3600)),
    "LLMROUTER_JOURNAL_LIMIT": ("journal_limit", _count(1024 * 1024, 1 << 50)),
    "LLMROUTER_USAGE_RETENTION_DAYS": ("usage_retention_days", _count(0, 100 * 366)),
    "LLMROUTER_RESPONSES_KEEP": ("responses_keep", _count(0, 100 * 366)),
}

# They have their names and their checks, but what they are for does not exist yet.
RESERVED = ("LLMROUTER_BOOTSTRAP_TOKEN", "LLMROUTER_REGISTRATION")


def load(environ: Mapping[str, str], dotenv: Path | None = None) -> Settings:
    """Reads the settings.

    environ wins over the file `dotenv`, where that exists. An empty variable counts as not set.
    Raises SettingsError for a value that can't be used, and for a LLMROUTER_ variable that does not
    exist: a misspelt setting must not be silently ignored.
    """
    values: dict[str, str] = {}
    if dotenv is not None and dotenv.is_file():
        from dotenv import dotenv_values  # here: most processes find no file and save the memory

        values |= {name: value for name, value in dotenv_values(dotenv).items() if value is not None}
    values |= environ
    values = {name: value.strip() for name, value in values.items() if value.strip()}
    unknown = sorted(name for name in values if name.startswith("LLMROUTER_") and name not in VARIABLES)
    if unknown:
        raise SettingsError(f"{unknown[0]} is not a setting; see the table of settings in the README")
    fields: dict[str, object] = {}
    for variable, (name, parse) in VARIABLES.items():
        if variable in values:
            try:
                fields[name] = parse(values[variable])
            except ValueError as error:
                raise SettingsError(f"{variable}: {error}") from None
    http, grpc = fields.get("http_addr"), fields.get("grpc_addr")
    if http is not None and http == grpc and isinstance(http, Address) and http.port:
        raise SettingsError("LLMROUTER_HTTP_ADDR and LLMROUTER_GRPC_ADDR are the same; two servers need two addresses")
    if bool(fields.get("admin_email")) != bool(fields.get("admin_password")):
        raise SettingsError("LLMROUTER_ADMIN_EMAIL and LLMROUTER_ADMIN_PASSWORD go together; set both or none")
    return Settings(**fields, environ=values)  # pyright: ignore[reportArgumentType] - VARIABLES pairs each field with its parser
