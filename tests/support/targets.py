"""Providers as tests have them."""

from core.providers.upstream import Target
from core.providers.vendors import Vendor


def target(type_: str, base_url: str, api_key: str = "") -> Target:
    """A provider of that type there, with time enough."""
    return Target(
        id=1,
        name="there",
        type=type_,
        base_url=base_url,
        api_key=api_key,
        connect_timeout=5.0,
        first_byte_timeout=5.0,
        idle_timeout=5.0,
    )


def here(vendor: Vendor) -> str:
    """An address of the user's own that may be one of the vendor's."""
    below = "/v1/projects/p/locations/l" if "/projects/" in "".join(vendor.url_from) else "/here"
    return f"https://proxy.lan{below}"
