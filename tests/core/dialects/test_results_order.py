"""Results of tools behind their calls, whatever stood between."""

from copy import deepcopy

import pytest

from core.dialects.canonical import Message, Text, ToolCall, ToolResult
from core.dialects.results_order import in_order

HELLO = Message("user", [Text("Hello")])
ASIDE = Message("developer", [Text("Be brief.")])


def calls(*ids: str) -> Message:
    return Message("assistant", [Text("Let me look."), *[ToolCall(each, "f") for each in ids]])


def results(*ids: str) -> Message:
    return Message("tool", [ToolResult(each, [Text(f"of {each}")]) for each in ids])


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [HELLO],
        [HELLO, calls("a"), results("a"), HELLO, calls("a"), results("a")],
        [calls("a", "b"), results("a"), results("b"), HELLO],
        [calls("a")],
        [results("a"), HELLO],
    ],
)
def test_what_is_in_order_is_not_touched(messages: list[Message]):
    assert in_order(messages) is messages


@pytest.mark.parametrize(
    ("messages", "ordered"),
    [
        ([calls("a"), HELLO, results("a")], [calls("a"), results("a"), HELLO]),
        ([calls("a"), HELLO, ASIDE, results("a"), HELLO], [calls("a"), results("a"), HELLO, ASIDE, HELLO]),
        (
            [calls("a", "b"), results("b"), HELLO, results("a"), ASIDE],
            [calls("a", "b"), results("b", "a"), HELLO, ASIDE],
        ),
        (
            [calls("a"), calls("b"), HELLO, results("a", "b")],
            [calls("a"), results("a"), calls("b"), results("b"), HELLO],
        ),
        (
            [calls("a"), results("a"), calls("a"), HELLO, results("a")],
            [calls("a"), results("a"), calls("a"), results("a"), HELLO],
        ),
        ([calls("a"), HELLO, results("a", "x")], [calls("a"), results("a"), HELLO, results("x")]),
        ([calls(""), HELLO, results("")], [calls(""), HELLO, results("")]),
    ],
)
def test_results_move_to_their_calls(messages: list[Message], ordered: list[Message]):
    before = deepcopy(messages)
    assert in_order(messages) == ordered
    assert messages == before


def test_results_are_known_by_where_the_caller_said_them():
    said = results("a")
    said.place = "input[2]"
    assert [message.place for message in in_order([calls("a"), HELLO, said])] == ["", "input[2]", ""]
