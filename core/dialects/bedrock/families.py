"""What the models on Bedrock can, by whose they are: Converse says the same to all, and they don't all take it.

A family is told by the model's id, which is also in the names of inference profiles ("eu.anthropic.claude-…") and
in most ARNs. The ARN of an application's own profile tells nothing; such a model is taken to know all that Converse
has, and Bedrock refuses what it does not. Claude's generations are told by their numbers, so that the next model of
one is known on its first day.

Claude:     https://platform.claude.com/docs/en/build-with-claude/extended-thinking, effort, and the migration guides
Nova:       https://docs.aws.amazon.com/nova/latest/nova2-userguide/extended-thinking.html
Form:       https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html
Cache:      https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html
"""

import re
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Final


class Thinks(Enum):
    """How a model is told how much to think."""

    NOT = "not"  # it can't be told
    BUDGET = "budget"  # Claude's thinking with a number of tokens
    EITHER = "either"  # that, or as the next
    ADAPTIVE = "adaptive"  # Claude's, which finds its own measure, and effort
    NOVA = "nova"  # reasoningConfig
    FIELD = "field"  # reasoning_effort, as OpenAI's open models have it
    EFFORT = "effort"  # Converse's own outputConfig.effort


class Forms(Enum):
    """How a model is made to answer in a form."""

    OUTPUT = "output"  # outputConfig.textFormat
    TOOL = "tool"  # it must call a tool
    NOT = "not"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Models that are spoken to in the same way."""

    claude: bool = False
    thinks: Thinks = Thinks.NOT
    stops_thinking: bool = True  # it can be kept from it
    forms: Forms = Forms.OUTPUT
    forced: bool = True  # it can be made to call a tool
    samples: bool = True  # temperature and what is like it are taken
    caches: bool = False  # marks of the prompt cache are understood …
    caches_tools: bool = False  # … behind tools and their results too
    makers: frozenset[str] = frozenset()  # whose thoughts can be given back to it
    top_k: tuple[str, ...] = ()  # where it stands in additionalModelRequestFields; nowhere for ()
    tells_stop: bool = False  # which sequence ended an answer, on request


MAKER: Final = "bedrock"
"""Who signs thoughts here. Claude's own signatures count on all platforms that serve it, but not every signature that
Bedrock hands on is Claude's, so that they come back to Bedrock alone."""

_CLAUDE: Final = Family(
    claude=True,
    caches=True,
    caches_tools=True,
    makers=frozenset({MAKER, "anthropic"}),
    top_k=("top_k",),
    tells_stop=True,
)
_NAME: Final = re.compile(r"claude-(?:(opus|sonnet|haiku|fable|mythos)-)?(\d{1,2})(?:-(\d{1,2}))?(?!\d)")

_FAMILIES: Final[tuple[tuple[re.Pattern[str], Family], ...]] = (
    (
        re.compile(r"amazon\.nova-2"),
        Family(thinks=Thinks.NOVA, forms=Forms.TOOL, caches=True, top_k=("inferenceConfig", "topK")),
    ),
    (re.compile(r"amazon\.nova"), Family(forms=Forms.TOOL, caches=True, top_k=("inferenceConfig", "topK"))),
    (re.compile(r"openai\."), Family(thinks=Thinks.FIELD, stops_thinking=False)),
    (re.compile(r"cohere\."), Family(forms=Forms.NOT, top_k=("k",))),
    (re.compile(r"meta\.|ai21\.|amazon\.titan"), Family(forms=Forms.NOT)),
    (re.compile(r"mistral\.(?:mistral-|mixtral-|pixtral-)(?!large-3)"), Family(forms=Forms.NOT)),
    (re.compile(r"(?:^|/)[a-z0-9-]+\.[a-z0-9]"), Family()),  # of others: the smallest common share
)
UNKNOWN: Final = Family(thinks=Thinks.EFFORT, caches=True, caches_tools=True, makers=frozenset({MAKER, "anthropic"}))
"""Of the ARN of a profile that does not tell what is behind it."""


@lru_cache(maxsize=4096)
def family_of(model: str) -> Family:
    """The family of a model, by its id, an inference profile's, or an ARN."""
    name = model.lower()
    if "anthropic." in name:
        found = _NAME.search(name)
        return _claude((int(found[2]), int(found[3] or 0)) if found else (0, 0), (found and found[1]) or "")
    return next((family for pattern, family in _FAMILIES if pattern.search(name)), UNKNOWN)


def _claude(version: tuple[int, int], kind: str) -> Family:
    family = replace(_CLAUDE, forms=Forms.OUTPUT if version >= (4, 5) else Forms.TOOL)
    if version < (3, 7):
        return family
    if version < (4, 6):
        return replace(family, thinks=Thinks.BUDGET)
    if version < (4, 7):
        return replace(family, thinks=Thinks.EITHER)
    always = kind in ("fable", "mythos") and version >= (5, 0)
    return replace(family, thinks=Thinks.ADAPTIVE, samples=False, stops_thinking=not always, forced=version < (5, 1))
