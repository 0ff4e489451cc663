"""The arguments of a tool call, on wires that have them as an object and not as its text.

What a model has written that is no object stands under a name that says so, as Anthropic's documentation of
tools proposes: the conversation goes on, and the model sees what it did.
"""

import msgspec

_decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


def object_of(arguments: str) -> msgspec.Raw:
    """The object that the arguments are, to the letter."""
    if is_object(arguments):
        return msgspec.Raw(arguments.encode())
    return msgspec.Raw(_encode({"INVALID_JSON": arguments.encode(errors="replace").decode()}))


def object_or_empty(arguments: str) -> msgspec.Raw:
    """The same, where blank ones are an empty object."""
    return object_of(arguments) if arguments.strip() else msgspec.Raw(b"{}")


def is_object(arguments: str) -> bool:
    """Whether it is a whole JSON object."""
    try:
        _decode(arguments)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return False
    return True
