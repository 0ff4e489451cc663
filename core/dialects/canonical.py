"""The one form between all wires: what a chat asks for and what is answered, in nobody's JSON.

    caller's request ─read_chat─► Chat ─write_chat─► provider's request
    provider's answer ─read_answer─► Answer ─write_answer─► caller's answer
    provider's stream ─StreamReader─► Event… ─StreamWriter─► caller's stream
    provider's error ─read_fault─► Fault ─write_fault─► caller's error

It is OpenAI's chat with what the other wires can say beside it: thinking with its signature, marks of
the prompt cache, documents, errors of tools. It is used only where the caller's wire is not the
provider's; otherwise bytes pass through and nothing here is made.

Ids, names and texts are what the wires have. JSON that only passes (schemas, log probabilities)
stays raw, so that no number changes its form; a tool call's arguments are JSON as text.
"""

from typing import Final, Literal, TypeAlias

import msgspec

from core.dialects.tokens import NO_TOKENS, Tokens

NO_JSON: Final = msgspec.Raw(b"")
"""Raw JSON that is not there."""

Role = Literal["system", "developer", "user", "assistant", "tool"]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Finish = Literal["stop", "length", "tool_calls", "content_filter", "refusal", "pause"]
"""Why an answer ended. refusal: the model would not; content_filter: the provider would not let it; pause: the
provider's own tool takes long, and the same conversation goes on when it is sent again."""


# ── What is said ──────────────────────────────────────────────────────────────────────────────────


class CacheMark(msgspec.Struct, frozen=True):
    """The prompt up to here shall be kept by the provider."""

    ttl: str = ""  # "5m" or "1h"; "" where the request leaves it to the provider


class Text(msgspec.Struct, tag="text"):
    text: str
    cache: CacheMark | None = None


class Image(msgspec.Struct, tag="image"):
    """One of url, data and file_id is set."""

    url: str = ""  # https://…; never a data: URL, which is read into data and media_type
    data: str = ""  # base64
    media_type: str = ""  # image/png …, with data
    file_id: str = ""  # in the provider's own store
    detail: str = ""  # low, high, auto, original; "" where nothing is said
    cache: CacheMark | None = None


class Document(msgspec.Struct, tag="document"):
    """One of url, data, text and file_id is set."""

    url: str = ""
    data: str = ""  # base64
    media_type: str = ""  # application/pdf …, with data
    text: str = ""  # a plain text
    file_id: str = ""
    name: str = ""  # its file name or title
    context: str = ""  # what is said about it, and not a part of it
    cache: CacheMark | None = None


class Audio(msgspec.Struct, tag="audio"):
    data: str  # base64
    format: str  # wav, mp3 …


class Thinking(msgspec.Struct, tag="thinking"):
    """What a model thought, and the proof that it did, without which its maker takes nothing back."""

    text: str = ""
    signature: str = ""
    redacted: str = ""  # thoughts that only their maker can read, in place of text
    id: str = ""  # where the wire names it
    maker: str = ""  # wire whose signature it is: "anthropic", "bedrock", "gemini", "openai"; others leave it out


class Refusal(msgspec.Struct, tag="refusal"):
    text: str


class ToolCall(msgspec.Struct, tag="tool_call"):
    id: str  # "" where the wire has none
    name: str
    arguments: str = ""  # JSON as text, as the model wrote it
    signature: str = ""  # of the thought behind it (Gemini)
    cache: CacheMark | None = None


class ToolResult(msgspec.Struct, tag="tool_result"):
    call_id: str
    parts: list[Text | Image | Document] = []
    is_error: bool = False
    name: str = ""  # of the tool, where the wire says it or the call was seen
    cache: CacheMark | None = None


Part: TypeAlias = Text | Image | Document | Audio | Thinking | Refusal | ToolCall | ToolResult
Said: TypeAlias = Text | Thinking | Refusal | ToolCall
"""What a model can answer."""


class Message(msgspec.Struct, eq=False):
    """One turn. Results of tools stand in messages of their own, of the role tool, and nothing else does there.

    Two that say the same are equal, wherever they stand.
    """

    role: Role
    parts: list[Part]
    name: str = ""  # of the one who speaks
    place: str = ""  # where it stands in the caller's body: "messages[3]", "input[6..8]"
    parts_place: str = ""  # the list of its parts there, "messages[3].content", where that has the same numbers

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return (self.role, self.parts, self.name) == (other.role, other.parts, other.name)

    def ends_at(self, place: str) -> None:
        """It goes on to there: "input[6]" becomes "input[6..8]"."""
        head, _, number = place.rpartition("[")
        first = self.place.rpartition("[")[2].rstrip("]").partition("..")[0]
        self.place = f"{head}[{first}..{number}" if first != number.rstrip("]") else place


# ── What is asked for ─────────────────────────────────────────────────────────────────────────────


class Tool(msgspec.Struct):
    """A function that the model may call."""

    name: str
    description: str = ""
    parameters: msgspec.Raw = NO_JSON  # JSON schema
    strict: bool | None = None
    cache: CacheMark | None = None


class ToolChoice(msgspec.Struct):
    mode: Literal["auto", "none", "required", "tool"]
    name: str = ""  # with the mode tool


class Reasoning(msgspec.Struct):
    """How much a model shall think. Effort and budget say the same in two ways; a request has one of them."""

    effort: Effort | None = None
    budget: int | None = None  # tokens; 0 for no thinking, -1 for as the model likes
    shown: bool | None = None  # whether the thoughts, or a summary of them, come with the answer


class Format(msgspec.Struct):
    """The form of the answer."""

    kind: Literal["text", "json", "schema"]
    name: str = ""
    description: str = ""
    schema: msgspec.Raw = NO_JSON
    strict: bool | None = None


class Chat(msgspec.Struct):
    """A request. None, "" and [] mean that the request does not say."""

    model: str
    messages: list[Message]
    stream: bool = False
    include_usage: bool = False  # a caller's stream shall report its usage, on wires where that is asked for
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    format: Format | None = None
    max_output: int | None = None  # tokens
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop: list[str] = []
    seed: int | None = None
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logit_bias: msgspec.Raw = NO_JSON  # object of token → number
    logprobs: bool | None = None
    top_logprobs: int | None = None
    verbosity: str = ""
    user: str = ""
    metadata: dict[str, str] = {}
    service_tier: str = ""
    cache_key: str = ""  # requests with the same shall find the same cache
    others: dict[str, msgspec.Raw] = {}
    """What this form can't say, by its name on the caller's wire ("tools[2]" for a part of a field)."""
    named: dict[str, str] = {}
    """Field of this form → its name on the caller's wire, where this request says it under another than most."""
    hints: tuple[str, ...] = ()
    """Fields of this form, or names in `others`, that the caller can do without: where a provider can't do them
    nothing is refused, and the caller is told that they were left out."""


# ── What is answered ──────────────────────────────────────────────────────────────────────────────


class Choice(msgspec.Struct):
    parts: list[Said]
    finish: Finish = "stop"
    stop_sequence: str = ""  # the one that ended it, where the wire says so
    logprobs: msgspec.Raw = NO_JSON  # as OpenAI has them: {"content": […], "refusal": …}


class Answer(msgspec.Struct):
    id: str  # "" where the wire has none
    model: str
    choices: list[Choice]
    tokens: Tokens | None = None  # None where the provider reports none
    created: int = 0  # seconds since 1970; 0 where the wire does not say
    service_tier: str = ""


class Fault(msgspec.Struct, frozen=True):
    """A provider's error."""

    status: int  # of HTTP; of an error inside a stream the one that it would have had
    message: str
    kind: str = ""  # the provider's own word for it (type, status, __type …)
    code: str = ""
    param: str = ""
    retry_after: float | None = None  # seconds, where the body itself says when to come back


# ── What a stream brings ──────────────────────────────────────────────────────────────────────────
# Blocks of one choice come one after another: a thought ends where a text begins. Tool calls of one
# choice are numbered from 0, and the pieces of one need not come in a row.


class Began(msgspec.Struct):
    """Comes once, before anything else."""

    id: str = ""
    model: str = ""
    created: int = 0
    tokens: Tokens = NO_TOKENS  # what is known of the prompt by now


class TextDelta(msgspec.Struct):
    text: str
    choice: int = 0
    logprobs: msgspec.Raw = NO_JSON  # as Choice.logprobs


class ThinkingDelta(msgspec.Struct):
    text: str
    choice: int = 0


class ThinkingSigned(msgspec.Struct):
    """The thought is over. One without text is a redacted thought, or one whose text is not shown."""

    signature: str = ""
    redacted: str = ""
    id: str = ""
    maker: str = ""
    choice: int = 0


class RefusalDelta(msgspec.Struct):
    text: str
    choice: int = 0


class CallBegan(msgspec.Struct):
    index: int
    id: str
    name: str
    signature: str = ""
    choice: int = 0


class CallDelta(msgspec.Struct):
    index: int
    arguments: str  # a piece of the JSON
    choice: int = 0


class Finished(msgspec.Struct):
    """A choice is complete."""

    finish: Finish
    stop_sequence: str = ""
    choice: int = 0


class Used(msgspec.Struct):
    """What the whole request used, as reported; the last report counts."""

    tokens: Tokens


class Failed(msgspec.Struct):
    """The provider ended the stream with an error of its own."""

    fault: Fault


class Ended(msgspec.Struct):
    """The stream's own end mark: nothing comes after it."""


Event: TypeAlias = (
    Began
    | TextDelta
    | ThinkingDelta
    | ThinkingSigned
    | RefusalDelta
    | CallBegan
    | CallDelta
    | Finished
    | Used
    | Failed
    | Ended
)
