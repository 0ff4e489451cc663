"""What the facade is told at start; core/cli.py fills it in from the one set of settings."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FacadeSettings:
    """Times are in seconds, sizes in bytes."""

    host: str
    port: int
    core_targets: tuple[str, ...]  # gRPC targets of the core processes, "unix:/…" or "host:port"
    relay_targets: tuple[str, ...] = ()  # where they take links, in the same order; none for the same addresses
    internal_token: str = field(repr=False)  # proves to the core that this is its facade
    public_url: str
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()  # whose X-Forwarded-For is believed
    max_body: int = 32 * 1024 * 1024
    request_timeout: float = 600.0
    drain_timeout: float = 30.0
    header_timeout: float = 10.0  # for the whole head of a request
    body_timeout: float = 60.0  # for the whole body of a request
    worker: int = 0
    reuse_port: bool = False
    admin_socket: str = ""  # where sibling processes fetch this one's metrics
    sibling_sockets: tuple[str, ...] = ()

    @property
    def secure_cookies(self) -> bool:
        return self.public_url.startswith("https://")
