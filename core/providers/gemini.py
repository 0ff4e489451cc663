"""Gemini: what its addresses look like. Its wire is in core/providers/wire.py.

https://ai.google.dev/api
"""

import re
from urllib.parse import SplitResult

_VERSION = re.compile(r"v\d+[a-z]*\d*")


def base_url(parts: SplitResult) -> str:
    """The stored form, without the scheme: up to the version, also of the OpenAI-compatible layer's address."""
    if parts.query:
        raise ValueError("the base URL of Google Gemini must not have a query: paths are appended to it")
    path = parts.path.rstrip("/").removesuffix("/openai").rstrip("/")
    if not _VERSION.fullmatch(path.rpartition("/")[2]):
        path += "/v1beta"
    return parts.netloc + path
