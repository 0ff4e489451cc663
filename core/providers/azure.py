"""Azure OpenAI: the OpenAI wire at two kinds of addresses, which the base URL tells apart.

    {resource}/openai/v1                              the present API: its paths are OpenAI's, the model in the body
    {resource}/openai/deployments?api-version={date}  the API of old: each deployment has an address of its own

Either way a model is called by its deployment's name. The list of models that Azure has is of those that
could be deployed, so it is of no use here: deployments are named as model entries.

https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle
"""

import re
from dataclasses import replace
from urllib.parse import SplitResult, parse_qsl

from core.dialects.openai.chat import CHAT, COMPLETION, EMBEDDING
from core.dialects.passthrough.endpoints import IMAGE, SPEECH, TRANSCRIPTION, TRANSLATION
from core.providers.wire import OPENAI, ByModel, Wire

AZURE = replace(OPENAI, key_header="api-key", key_prefix="", listing=None)
AZURE_DEPLOYMENTS = replace(
    AZURE,
    has_objects=False,  # they would be beside the deployments
    paths={
        operation: ByModel(f"/{{model}}{OPENAI.paths[operation]}")
        for operation in (CHAT, COMPLETION, EMBEDDING, IMAGE, SPEECH, TRANSCRIPTION, TRANSLATION)
    },
)

_PATH = re.compile(r"(?P<before>.*?)(/openai(?P<below>/.*)?)?", re.DOTALL)
_API_VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(-preview)?")
_V1_VERSIONS = frozenset({"preview", "latest", "v1"})


def wires(base_url: str) -> tuple[Wire, ...]:
    """The wire at a base URL in its stored form."""
    return (AZURE_DEPLOYMENTS,) if "/openai/deployments?" in base_url else (AZURE,)


def base_url(parts: SplitResult) -> str:
    """The stored form, without the scheme, of what Azure's pages and SDKs call endpoint, base URL or target URI.

    A dated api-version asks for the API of old; without one it is the present API. Raises ValueError, whose
    message repeats nothing of it.
    """
    version = _api_version(parts.query)
    path = _PATH.fullmatch(parts.path.rstrip("/"))
    assert path is not None
    place = f"{parts.netloc}{path['before'].rstrip('/')}/openai"
    if version and version not in _V1_VERSIONS:
        return f"{place}/deployments?api-version={version}"
    if (path["below"] or "").startswith("/deployments"):
        raise ValueError("the base URL of an Azure deployment must end with its API version: ?api-version=2024-10-21")
    return f"{place}/v1" + (f"?api-version={version}" if version else "")


def _api_version(query: str) -> str:
    """The API version in a query, "" for none."""
    if not query:
        return ""
    fields = parse_qsl(query, keep_blank_values=True)
    version = fields[0][1] if fields else ""
    if (
        len(fields) != 1
        or fields[0][0] != "api-version"
        or not (version in _V1_VERSIONS or _API_VERSION.fullmatch(version))
    ):
        raise ValueError("the query of an Azure base URL is its API version alone, as in ?api-version=2024-10-21")
    return version
