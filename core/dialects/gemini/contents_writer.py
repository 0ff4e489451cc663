"""Messages as a Gemini provider wants them: `contents` of two roles, and the system's words apart.

Results of tools have the role user, and those of one turn stand in one content. A call of a function needs
the signature of the thought behind it; where another model made the call there is none, and the mark takes
its place that Google has for that. What a model wrote as arguments that is no JSON object stands in one, under a
name that says so: the conversation goes on, and the model sees what it did.

Pictures and files that a tool brought stand in its result where the model's generation takes them there; else behind
the results, in the same content, with the name of the function before them.

Sources: https://ai.google.dev/gemini-api/docs/thought-signatures,
https://ai.google.dev/gemini-api/docs/function-calling (multimodal function responses)
"""

from base64 import b64encode
from mimetypes import guess_type
from typing import Final

import msgspec

from core.dialects.arguments import object_or_empty
from core.dialects.canonical import (
    Audio,
    Document,
    Image,
    Message,
    Refusal,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from core.dialects.gemini.models import thinks_in_degrees, wants_signatures
from core.dialects.gemini.thoughts import MAKER
from core.dialects.gemini.wire import (
    MODEL,
    USER,
    Blob,
    Content,
    FileData,
    FunctionCall,
    FunctionResponse,
    Part,
    ResponsePart,
)
from core.dialects.losses import Losses
from core.errors import InvalidArgument

UNSIGNED: Final = "skip_thought_signature_validator"
FILES: Final = "https://generativelanguage.googleapis.com/"
"""Where Google keeps files. Their names in bodies are such addresses."""

_BELOW: Final = "(what it returned is below)"
_AUDIO_TYPES: Final = {"mp3": "audio/mp3", "wav": "audio/wav"}

_encode = msgspec.json.Encoder().encode


class ContentsWriter:
    """Writes the messages of one request."""

    def __init__(self, model: str, losses: Losses) -> None:
        self._model = model
        self._losses = losses
        self._names: dict[str, str] = {}  # of the functions called, by the id of the call
        self._unsigned = False  # a call without a signature is refused in the turn that goes on
        self._in_results = thinks_in_degrees(model)  # results of functions hold media, and not only text
        self._brought: list[Part] = []  # media of the results of this turn, where they don't
        self.contents: list[Content] = []
        self.system: list[Part] = []

    def write(self, messages: list[Message]) -> None:
        """Fills `contents` and `system`. Raises InvalidArgument."""
        last = max((number for number, message in enumerate(messages) if message.role == "user"), default=0)
        results: list[Part] | None = None
        for number, message in enumerate(messages):
            if message.name:
                self._losses.lose(f"messages[{number}].name", "it knows no names of speakers")
            self._unsigned = number > last and wants_signatures(self._model)
            parts = [part for part in self._parts(number, message) if part is not None]
            if message.role in ("system", "developer"):
                self.system += parts
            elif message.role == "tool":
                if results is None:
                    results = parts
                    self.contents.append(Content(USER, results))
                else:
                    results += parts
            elif parts:  # the wire has no content without parts, and it would say nothing
                self.contents.append(Content(MODEL if message.role == "assistant" else USER, parts))
            if results is not None and self._brought and not _goes_on(messages, number):
                results += self._brought
                self._brought = []
            if message.role in ("user", "assistant"):
                results = None
        if not self.contents:
            raise InvalidArgument("the model's provider wants a message that is not the system's", field="messages")

    def _parts(self, number: int, message: Message) -> "list[Part | None]":
        found: list[Part | None] = []
        for place, part in enumerate(message.parts):
            path = f"messages[{number}].content[{place}]"
            match part:
                case Text() | Refusal():
                    found.append(Part(text=part.text))
                case Thinking():
                    if part.maker == MAKER and part.signature:  # others' are of no use to this model
                        found.append(Part(text=part.text, thought=True, thought_signature=part.signature))
                case ToolCall():
                    found.append(self._call(part))
                case ToolResult():
                    found.append(self._result(f"messages[{number}]", part))
                case Document():
                    found += [Part(text=said) for said in (part.name, part.context) if said]
                    found.append(self._media(path, part, message.role))
                case Image() | Audio():
                    found.append(self._media(path, part, message.role))
        return found

    def _media(self, path: str, part: Image | Document | Audio, role: str) -> Part | None:
        if role in ("system", "developer"):
            self._losses.lose(path, "its instructions are text")
            return None
        found = self._blob(path, part)
        if found is None:
            return None
        return Part(inline_data=found) if isinstance(found, Blob) else Part(file_data=found)

    def _blob(self, path: str, part: Image | Document | Audio) -> Blob | FileData | None:
        if isinstance(part, Audio):
            return Blob(_AUDIO_TYPES.get(part.format) or f"audio/{part.format}", part.data)
        if isinstance(part, Document) and part.text:
            return Blob("text/plain", b64encode(part.text.encode(errors="replace")).decode())
        if part.data:
            return Blob(part.media_type, part.data)
        if part.url:
            return FileData(_kind(part, part.url), part.url)
        if part.file_id.startswith("files/"):
            return FileData(part.media_type or None, f"{FILES}v1beta/{part.file_id}")
        if part.file_id.startswith((FILES, "gs://")):
            return FileData(part.media_type or _kind(part, part.file_id), part.file_id)
        self._losses.lose(path, "it has no file of that id")
        return None

    def _call(self, call: ToolCall) -> Part:
        if call.id:
            self._names[call.id] = call.name
        signature = call.signature or (UNSIGNED if self._unsigned else None)
        self._unsigned = False  # the first of a turn stands for all
        return Part(
            thought_signature=signature,
            function_call=FunctionCall(call.id or None, call.name, object_or_empty(call.arguments)),
        )

    def _result(self, path: str, result: ToolResult) -> Part:
        name = result.name or self._names.get(result.call_id)
        if not name:
            raise InvalidArgument(f"{path}: no tool call before it has the id it answers", field=path)
        texts = [part.text for part in result.parts if isinstance(part, Text)]
        media: list[ResponsePart] = []
        brought: list[Part] = []
        for place, part in enumerate(result.parts):
            if isinstance(part, Text):
                continue
            found = self._blob(f"{path}.content[{place}]", part)
            if found is not None and not self._in_results:
                brought.append(Part(inline_data=found) if isinstance(found, Blob) else Part(file_data=found))
            elif isinstance(found, Blob):
                media.append(ResponsePart(inline_data=found))
            elif found is not None:
                media.append(ResponsePart(file_data=found))
        if brought:
            self._brought += [Part(text=f"What {name} returned:"), *brought]
            texts = texts or [_BELOW]
        said = {"error" if result.is_error else "output": "\n".join(texts)}
        return Part(
            function_response=FunctionResponse(result.call_id or None, name, msgspec.Raw(_encode(said)), media or None)
        )


def _kind(part: Image | Document, url: str) -> str | None:
    """The media type of what is at an address, as far as its name tells; None for a picture of an unknown kind."""
    kind = guess_type(url.partition("?")[0])[0] or ""
    if isinstance(part, Image):
        return kind if kind.startswith("image/") else None
    return kind if kind.startswith("text/") else "application/pdf"


def _goes_on(messages: list[Message], number: int) -> bool:
    """Whether more results of the turn follow. Instructions between them stand apart, and don't end it."""
    following = (message.role for message in messages[number + 1 :])
    return next((role for role in following if role not in ("system", "developer")), "") == "tool"
