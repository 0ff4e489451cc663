"""Whether JSON is what an SDK's types say: every field known, every required one there, every value of its type.

    faults(body, CompletionCreateParamsNonStreaming) ─► ["messages[0].speaker: no such field"]

The types are TypedDicts, as the SDKs of OpenAI and Anthropic have them for what is sent; nothing is made of
them, and nothing is put right: 1 is no string, and "1" no number.
"""

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal, Union, cast, get_args, get_origin

import typing_extensions

_WRAPPERS = frozenset(
    {typing.Annotated, typing.Required, typing.NotRequired, typing_extensions.Required, typing_extensions.NotRequired}
)
_LISTS = frozenset({list, Iterable, Sequence, tuple, set})
_SCALARS: Mapping[Any, tuple[type, ...]] = {str: (str,), int: (int,), float: (int, float), bool: (bool,)}


def faults(value: Any, wanted: Any, path: str = "") -> list[str]:
    """What is wrong with a value, nothing where it is as its type says."""
    wanted = _bare(wanted)
    if wanted is Any or wanted is object:
        return []
    if wanted is None or wanted is type(None):
        return [] if value is None else [_said(path, "must be null")]
    origin = get_origin(wanted)
    if origin is Union or origin is types.UnionType:
        return _of_a_union(value, get_args(wanted), path)
    if origin is Literal:
        return [] if value in get_args(wanted) else [_said(path, f"{value!r} is none of {get_args(wanted)}")]
    if origin in _LISTS:
        if not isinstance(value, list):
            return [_said(path, "must be a list")]
        (inner, *_) = get_args(wanted)
        items = cast("list[Any]", value)
        return [each for number, item in enumerate(items) for each in faults(item, inner, f"{path}[{number}]")]
    if origin in (dict, Mapping):
        return [] if isinstance(value, dict) else [_said(path, "must be an object")]
    if typing_extensions.is_typeddict(wanted):
        return _of_an_object(value, wanted, path)
    if wanted in _SCALARS:
        good = isinstance(value, _SCALARS[wanted]) and (wanted is bool or not isinstance(value, bool))
        return [] if good else [_said(path, f"must be {wanted.__name__}")]
    return [_said(path, "has no form that could be sent")]  # a model or a file: of what the SDK turns into others


def _of_an_object(value: Any, wanted: Any, path: str) -> list[str]:
    if not isinstance(value, dict):
        return [_said(path, "must be an object")]
    fields, required = _fields(wanted)
    found = cast("dict[str, Any]", value)
    wrong = [_said(f"{path}.{name}", "no such field") for name in found if name not in fields]
    wrong += [_said(f"{path}.{name}", "is missing") for name in required if name not in found]
    return wrong + [
        each
        for name, inner in found.items()
        if name in fields
        for each in faults(inner, fields[name], f"{path}.{name}")
    ]


def _of_a_union(value: Any, alternatives: Iterable[Any], path: str) -> list[str]:
    """What is wrong by the alternative that comes closest: of its kind, of its `type` or `role`, the least."""
    best: list[str] = []
    best_score: tuple[bool, int, int] | None = None
    for alternative in alternatives:
        wrong = faults(value, alternative, path)
        if not wrong:
            return []
        other = _said(path, "") in (each[: each.index(":") + 2] for each in wrong)
        named = sum(each.startswith((f"{path}.type:", f"{path}.role:")) for each in wrong)
        score = (other, named, len(wrong))
        if best_score is None or score < best_score:
            best, best_score = wrong, score
    return best


@cache
def _fields(wanted: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """The fields of a TypedDict by their names in JSON, and those that must be there."""
    hints = typing_extensions.get_type_hints(wanted, include_extras=True)
    required = frozenset(name for name, hint in hints.items() if _is_required(hint, name, wanted))
    names = {name: _alias(hint) or name for name, hint in hints.items()}
    return {names[name]: hint for name, hint in hints.items()}, frozenset(names[name] for name in required)


def _is_required(hint: Any, name: str, wanted: Any) -> bool:
    while get_origin(hint) is typing.Annotated:
        hint = get_args(hint)[0]
    origin = get_origin(hint)
    if origin in (typing.NotRequired, typing_extensions.NotRequired):
        return False
    return origin in (typing.Required, typing_extensions.Required) or name in wanted.__required_keys__


def _alias(hint: Any) -> str:
    while get_origin(hint) in _WRAPPERS:
        if get_origin(hint) is typing.Annotated:
            for extra in get_args(hint)[1:]:
                if name := getattr(extra, "alias", None):
                    return name
        hint = get_args(hint)[0]
    return ""


def _bare(wanted: Any) -> Any:
    while True:
        if get_origin(wanted) in _WRAPPERS:
            wanted = get_args(wanted)[0]
        elif isinstance(wanted, typing_extensions.TypeAliasType):
            wanted = wanted.__value__
        else:
            return wanted


def _said(path: str, what: str) -> str:
    return f"{path.lstrip('.') or 'the body'}: {what}"
