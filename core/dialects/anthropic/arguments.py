"""The arguments of a tool call: JSON as text with us, a JSON object on Anthropic's wire.

A model may write what is no JSON, or be cut off in the middle. It is not lost then, and not called with nothing:
it stands under the name that Anthropic's documentation proposes for it, so that the tool refuses it and the model sees.

Source: https://platform.claude.com/docs/en/agents-and-tools/tool-use/fine-grained-tool-streaming
"""

import msgspec

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def input_of(arguments: str) -> msgspec.Raw:
    """The object that the arguments are, to the letter; none at all are an empty one."""
    if not arguments or arguments == "{}":
        return msgspec.Raw(b"{}")
    if is_object(arguments):
        return msgspec.Raw(arguments.encode())
    return msgspec.Raw(_encode({"INVALID_JSON": arguments}))


def is_object(arguments: str) -> bool:
    """Whether it is a whole JSON object."""
    try:
        _decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
