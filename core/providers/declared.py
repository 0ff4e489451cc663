"""What is done with the table of vendors: base URLs made uniform, and providers that the environment declares.

A key in the environment is enough to declare a provider; one that needs no key is declared by its URL:

    GROQ_API_KEY=gsk_…                          groq, at its own address
    GROQ_API_KEY=gsk_… GROQ_BASE_URL=https://…  groq, through a proxy
    OLLAMA_BASE_URL=http://gpu:11434            ollama, there

Everything here is pure: it reads what it is given, and neither the real environment nor the network.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from core.providers.vendors import VENDORS, Vendor

_VERSION = re.compile(r"v\d+[a-z]*\d*")  # v1, v4, v1beta, v1beta2
_VARIABLES = re.compile(r"\{(\w+)\}")
_NOT_IN_A_URL = re.compile(r"[\s\x00-\x1f\x7f\\]")


@dataclass(frozen=True, slots=True)
class DeclaredVendor:
    """A provider that the environment declares."""

    type: str
    api_key: str = field(repr=False)  # "" for none
    base_url: str


def normalise_base_url(vendor: Vendor, url: str) -> str:
    """The base URL in the one form that requests are built on: no slash at the end, the version in it.

    The SDKs' conventions differ: OPENAI_BASE_URL has the version part and ANTHROPIC_BASE_URL has not.
    Both forms are right for both, since a URL without a path gets the path of the vendor's own URL,
    where that names a version. Any other path is the user's and stays, but that the version follows it
    where the vendor's own wire has base URLs without one.

    Raises ValueError, whose message says what to mend and never repeats the URL: there may be a secret in it.
    """
    text = url.strip()
    name = f"the base URL of {vendor.title}"
    if not text:
        raise ValueError(f"{name} is empty: give one{_example(vendor)}")
    if _NOT_IN_A_URL.search(text):
        raise ValueError(f"{name} has a space, a backslash or a control character in it")
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:  # not chained: its message has parts of the URL
        raise ValueError(f"{name} has a host or a port that can't be right") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError(f"{name} must start with http:// or https:// and a host{_example(vendor)}")
    if "@" in parts.netloc:
        raise ValueError(f"{name} must not have a user name or password in it: the key is given on its own")
    if "#" in text or ("?" in text and vendor.tidy is None):
        raise ValueError(f"{name} must not have a query or a fragment: paths are appended to it")
    if vendor.tidy is not None:
        return f"{parts.scheme}://{vendor.tidy(parts)}"
    path = parts.path.rstrip("/") or _version_path(vendor)
    version = vendor.wires[0].version
    if version and not _VERSION.fullmatch(path.rpartition("/")[2]):
        path += version
    return f"{parts.scheme}://{parts.netloc}{path}"


def understood(vendor: Vendor, base_url: str) -> str:
    """A base URL that was stored, in today's form. Raises ValueError as `normalise_base_url` does."""
    if vendor.tidy is None:
        return base_url
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{vendor.tidy(parts)}"


def vendors_in_environment(environ: Mapping[str, str]) -> list[DeclaredVendor]:
    """The providers that the environment declares, in the order of the table.

    A variable that is set to nothing counts as not set. Raises ValueError, with the variable's name, for a
    base URL that can't be used.
    """
    declared: list[DeclaredVendor] = []
    for vendor in VENDORS:
        key = next(filter(None, (environ.get(name, "").strip() for name in vendor.key_env)), "")
        variable, url = _url_in(environ, vendor, has_key=bool(key))
        if vendor.needs_key:
            if not key or not (url or vendor.base_url):
                continue
        elif not url:
            continue
        try:
            base_url = normalise_base_url(vendor, url) if url else vendor.base_url
        except ValueError as error:
            raise ValueError(f"{variable}: {error}") from error
        declared.append(DeclaredVendor(vendor.type, key, base_url))
    return declared


def _url_in(environ: Mapping[str, str], vendor: Vendor, *, has_key: bool) -> tuple[str, str]:
    """The base URL that the environment names, "" for none, and the variable that does so."""
    url = environ.get(vendor.base_url_env, "").strip()
    if url:
        return vendor.base_url_env, url
    for template in vendor.url_from if has_key or not vendor.url_from_needs_key else ():
        names = _VARIABLES.findall(template)
        values = {name: environ.get(name, "").strip().rstrip("/") for name in names}
        if all(values.values()):
            return names[0], template.format_map(values)
    return vendor.base_url_env, ""


def _version_path(vendor: Vendor) -> str:
    """The path of the vendor's own URL where that names a version, else nothing."""
    path = urlsplit(vendor.base_url).path
    return path if any(_VERSION.fullmatch(part) for part in path.split("/")) else ""


def _example(vendor: Vendor) -> str:
    return f", such as {vendor.base_url}" if vendor.base_url else ""
