"""Vertex AI: Google's models on the Gemini wire, and Anthropic's on theirs, below one project and location.

    {base}/publishers/google/models/{model}:generateContent      {base}/publishers/anthropic/models/{model}:rawPredict

The project's list of models does not say which of them can be called, so models are named as model entries.

https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference
https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai
"""

import re
from dataclasses import replace
from typing import Final
from urllib.parse import SplitResult

import msgspec

from core.dialects.anthropic.messages import COUNT_TOKENS, MESSAGES
from core.dialects.gemini import generate as gemini
from core.providers.wire import ANTHROPIC, GEMINI, ByModel

ADDRESS: Final = "https://LOCATION-aiplatform.googleapis.com/v1/projects/PROJECT/locations/LOCATION"

_PLACE = re.compile(r"(?P<place>.*?/projects/[^/]+/locations/[^/]+)(/(publishers|endpoints)(/.*)?)?")
_NO_REGIONS_HOST = re.compile(r"(global|us|eu)-aiplatform\.googleapis\.com", re.IGNORECASE)
_VERSION = msgspec.Raw(b'"vertex-2023-10-16"')  # of the Anthropic wire, here in the body
_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def base_url(parts: SplitResult) -> str:
    """The stored form, without the scheme: down to the location. Raises ValueError, which repeats nothing of it."""
    found = _PLACE.fullmatch(parts.path.rstrip("/"))
    if found is None or parts.query:
        raise ValueError(f"the base URL of Vertex AI names project and location, and nothing behind: {ADDRESS}")
    version = "/v1" if found["place"].startswith("/projects/") else ""
    return _NO_REGIONS_HOST.sub(_unlike_a_region, parts.netloc) + version + found["place"]


def _unlike_a_region(host: re.Match[str]) -> str:
    """The locations that are no regions have names of another kind."""
    name = host[1].lower()
    return "aiplatform.googleapis.com" if name == "global" else f"aiplatform.{name}.rep.googleapis.com"


def address(project: str, location: str) -> str:
    """The base URL as made of two environment variables."""
    return ADDRESS.replace("PROJECT", f"{{{project}}}").replace("LOCATION", f"{{{location}}}")


def messages(body: bytes) -> bytes:
    """A request of the Anthropic wire as it is here: the model is in the address."""
    fields = _decode(body)
    fields.pop("model", None)
    fields.setdefault("anthropic_version", _VERSION)
    return _encode(fields)


def count(body: bytes) -> bytes:
    """The same for counting, which has one address for all models."""
    fields = _decode(body)
    fields.setdefault("anthropic_version", _VERSION)
    return _encode(fields)


_GOOGLE = "/publishers/google/models/{model}"
_ANTHROPIC = "/publishers/anthropic/models"
GEMINI_AT_VERTEX = replace(
    GEMINI,
    paths={
        gemini.GENERATE: ByModel(f"{_GOOGLE}:generateContent", f"{_GOOGLE}:streamGenerateContent?alt=sse"),
        gemini.COUNT_TOKENS: ByModel(f"{_GOOGLE}:countTokens"),
    },
    listing=None,
)
ANTHROPIC_AT_VERTEX = replace(
    ANTHROPIC,
    paths={
        MESSAGES: ByModel(f"{_ANTHROPIC}/{{model}}:rawPredict", f"{_ANTHROPIC}/{{model}}:streamRawPredict"),
        COUNT_TOKENS: f"{_ANTHROPIC}/count-tokens:rawPredict",
    },
    passes=("anthropic-beta",),
    defaults=(),
    listing=None,
    version="",
    reshaped={MESSAGES: messages, COUNT_TOKENS: count},
)
