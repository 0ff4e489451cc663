"""What may be said of a provider, whoever says it: each function gives the value back in its stored form.

All raise InvalidArgument, which names the field and says what would do; no message repeats a key or
an address, for there may be a secret in it.
"""

import msgspec

from core.errors import InvalidArgument
from core.inputs import line
from core.providers.declared import normalise_base_url
from core.providers.vendors import VENDORS, vendor_for

ECHO = "echo"
"""The type of the built-in provider, which has no address and needs no key."""

_MAX_NAME = 100
_MAX_URL = 2000
_MAX_KEY = 8192
_MAX_MODEL = 300
_MAX_WAIT_MS = 24 * 3600 * 1000


def checked_name(name: str) -> str:
    """A provider's name: no slash, for `name/model` calls a model at this provider."""
    name = line(name, "name", least=1, most=_MAX_NAME)
    if not name.isprintable():
        raise InvalidArgument("name must have printable characters only", field="name")
    if "/" in name:
        raise InvalidArgument("a provider's name has no '/' in it: it is what parts provider/model", field="name")
    return name


def checked_type(type: str) -> str:  # noqa: A002 - the field's name
    """The canonical name of a provider's type, for that or any alias of it."""
    if type.strip().lower() == ECHO:
        return ECHO
    vendor = vendor_for(type)
    if vendor is None:
        valid = ", ".join(sorted([ECHO, *(vendor.type for vendor in VENDORS)]))
        raise InvalidArgument(f"no such provider type; there are {valid}", field="type")
    return vendor.type


def checked_base_url(type: str, base_url: str) -> str:  # noqa: A002 - the field's name
    """The address of a provider of a canonical type; an empty one means the vendor's own."""
    if type == ECHO:
        if base_url.strip():
            raise InvalidArgument("the built-in provider echo has no address", field="base_url")
        return ""
    vendor = vendor_for(type)
    assert vendor is not None, type
    if not base_url.strip():
        if not vendor.base_url:
            raise InvalidArgument(f"{vendor.title} has no address of its own, so name yours", field="base_url")
        return vendor.base_url
    try:
        url = normalise_base_url(vendor, base_url)
    except ValueError as error:
        raise InvalidArgument(str(error), field="base_url") from error
    if len(url) > _MAX_URL:
        raise InvalidArgument(f"a base URL has at most {_MAX_URL} characters", field="base_url")
    return url


def own_base_url(type: str) -> str:  # noqa: A002 - the field's name
    """The address that a canonical type has by itself; "" for none."""
    vendor = vendor_for(type)
    return "" if vendor is None else vendor.base_url


def checked_key(api_key: str) -> str:
    """A key without the white space that comes along when it is pasted; "" for none.

    Some are a file of JSON, which is put on one line.
    """
    key = api_key.strip()
    if len(key) > _MAX_KEY:
        raise InvalidArgument(f"a provider's key has at most {_MAX_KEY} characters", field="api_key")
    if key.startswith("{"):
        return _json_key(key)
    if key and not (key.isascii() and key.isprintable() and " " not in key):  # it travels in an HTTP header
        raise InvalidArgument("a provider's key has only printable ASCII characters, and no space", field="api_key")
    return key


def _json_key(key: str) -> str:
    try:
        line = msgspec.json.format(key.encode(), indent=-1).decode()
    except ValueError:  # not chained: its message may have parts of the key
        raise InvalidArgument("a provider's key that begins with '{' must be a JSON object", field="api_key") from None
    if not (line.isascii() and line.isprintable()):
        raise InvalidArgument("a provider's key has only printable ASCII characters", field="api_key")
    return line


def checked_model(name: str) -> str:
    """A model's name at a provider."""
    return line(name, "name", least=1, most=_MAX_MODEL)


def checked_wait(milliseconds: int, field: str) -> int:
    """How long to wait for a provider; 0 means the default."""
    if not 0 <= milliseconds <= _MAX_WAIT_MS:
        raise InvalidArgument(f"must be from 0 to {_MAX_WAIT_MS} milliseconds", field=field)
    return milliseconds
