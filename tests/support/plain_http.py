"""How tests make HTTP clients: `httpx.AsyncClient(base_url=…, **PLAIN)`."""

from typing import Any

PLAIN: dict[str, Any] = {
    "trust_env": False,  # a proxy of the environment's is not for this machine
    "verify": False,  # nothing here is encrypted, and to load the certificates takes 40 ms for each client
}
