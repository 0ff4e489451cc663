"""How each wire format is spoken over HTTP: paths, the key's header, and what else belongs into a head.

    OPENAI ─── at Azure (azure.py)     ANTHROPIC ─┬─ by bearer                GEMINI ─── at Vertex AI (vertex.py)
                                                  └─ at Vertex AI (vertex.py)

A vendor's row (core/providers/vendors.py) names the wires that the vendor speaks; the first of them is
its own, in which its models are listed too.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.dialects.anthropic import messages as anthropic_messages
from core.dialects.gemini import generate as gemini
from core.dialects.openai import chat as openai_chat
from core.dialects.passthrough import endpoints
from core.dialects.responses.request import RESPONSES
from core.providers.listing import ANTHROPIC_LIST, GEMINI_LIST, OPENAI_LIST, Listing

Headers = Sequence[tuple[str, str]]
"""Names in lower case, and their values."""

CONTENT_TYPE = "content-type"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class ByModel:
    """A path that differs from request to request: {model} stands for the model's name."""

    path: str
    streamed: str = ""  # for answers that stream; "" where it is the same


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Wire:
    """One wire format over HTTP."""

    paths: Mapping[str, str | ByModel]  # operation → path below the base URL
    key_header: str
    key_prefix: str = ""
    passes: tuple[str, ...] = ()  # headers of the caller's that go on to the provider
    defaults: tuple[tuple[str, str], ...] = ()  # what is sent where the caller has none of them
    listing: Listing | None = OPENAI_LIST  # how models are listed; None where they can't be
    version: str = ""  # a path with which base URLs end, though they may be given without it
    forms: frozenset[str] = frozenset()  # operations whose bodies may be forms: their requests say what they have
    has_objects: bool = False  # whether files and batches have their paths here too, where the vendor keeps any
    reshaped: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict[str, Callable[[bytes], bytes]])
    """Operation → what is done to a body on its way out, where the same wire is not quite the same everywhere."""

    def key(self, api_key: str) -> tuple[str, str]:
        """The header that shows a key."""
        return self.key_header, self.key_prefix + api_key

    def of(self, operation: str) -> "Wire":
        """The wire as it is for one operation: whose bodies may be forms, those say themselves what they are."""
        if operation not in self.forms:
            return self
        typed = replace(self, passes=(*self.passes, CONTENT_TYPE), forms=frozenset())
        return replace(typed, defaults=(*self.defaults, (CONTENT_TYPE, _JSON)))

    def always(self) -> Headers:
        """What all requests have in their heads, of which nothing is said anew with each."""
        return () if CONTENT_TYPE in self.passes else (("Content-Type", _JSON),)

    def passed_on(self, headers: Headers) -> Headers:
        """Of the caller's headers those that go on, and the defaults for what is missing."""
        passed = [header for header in headers if header[0] in self.passes]
        names = {name for name, _ in passed}
        return [*passed, *(default for default in self.defaults if default[0] not in names)]


OPENAI = Wire(
    paths={
        openai_chat.CHAT: "/chat/completions",
        openai_chat.COMPLETION: "/completions",
        openai_chat.EMBEDDING: "/embeddings",
        RESPONSES: "/responses",
        endpoints.IMAGE: "/images/generations",
        endpoints.IMAGE_EDIT: "/images/edits",
        endpoints.SPEECH: "/audio/speech",
        endpoints.TRANSCRIPTION: "/audio/transcriptions",
        endpoints.TRANSLATION: "/audio/translations",
        endpoints.MODERATION: "/moderations",
        endpoints.RERANK: "/rerank",
    },
    key_header="Authorization",
    key_prefix="Bearer ",
    forms=endpoints.FORMS,
    has_objects=True,
)
ANTHROPIC = Wire(
    paths={
        anthropic_messages.MESSAGES: "/messages",
        anthropic_messages.COUNT_TOKENS: "/messages/count_tokens",
    },
    key_header="x-api-key",
    passes=("anthropic-version", "anthropic-beta"),
    defaults=(("anthropic-version", "2023-06-01"),),
    listing=ANTHROPIC_LIST,
    version="/v1",
)
ANTHROPIC_BY_BEARER = replace(ANTHROPIC, key_header="Authorization", key_prefix="Bearer ")
"""As servers have it that began with the OpenAI wire and know a key by that header alone."""

GEMINI = Wire(
    paths={
        gemini.GENERATE: ByModel("/models/{model}:generateContent", "/models/{model}:streamGenerateContent?alt=sse"),
        gemini.EMBED: ByModel("/models/{model}:batchEmbedContents"),
        gemini.EMBED_ONE: ByModel("/models/{model}:embedContent"),
        gemini.COUNT_TOKENS: ByModel("/models/{model}:countTokens"),
    },
    key_header="x-goog-api-key",
    listing=GEMINI_LIST,
)
PASSED = frozenset((CONTENT_TYPE, *(name for wire in (OPENAI, ANTHROPIC) for name in wire.passes)))
"""Every header of a caller's that some wire passes on."""
