"""What vendors have on this wire that OpenAI has not, or have in another way; by the type of the vendors table.

Only what is documented by them: others refuse fields that they don't know.
"""

from typing import Final

from core.dialects.sides import Manner

_OPENROUTER: Final = "openrouter"
_GOOGLE: Final = "gemini"
_SAME_AS_OPENAI: Final = frozenset({"openai", _OPENROUTER})

_TOP_K: Final = frozenset(
    {"deepinfra", "featherless", "fireworks", "hyperbolic", "llamacpp", "lmstudio", "novita", _OPENROUTER, "sglang"}
    | {"siliconflow", "together", "vllm", "dashscope", "parasail"}
)
_CACHE_MARKS: Final = frozenset({_OPENROUTER, "litellm"})
_THOUGHTS: Final = frozenset({"deepseek", "moonshot", "zai", "zhipu"})
_SWITCHES: Final = frozenset({"deepseek", "moonshot", "zai", "zhipu", "volcengine"})
NAMED: Final = _SAME_AS_OPENAI | _TOP_K | _CACHE_MARKS | _THOUGHTS | _SWITCHES | {_GOOGLE}
"""All that have ways of their own."""

# OpenAI's families without thoughts, which refuse to be asked for none.
_NEVER_THINK: Final = ("gpt-3.5", "gpt-4", "chatgpt-4")


def knows_developers(manner: Manner) -> bool:
    """Whether there is the role developer; elsewhere it is system, which means the same."""
    return manner.vendor in _SAME_AS_OPENAI


def takes_texts_in_parts(manner: Manner) -> bool:
    """Whether a content of texts alone may be a list. DeepSeek, and servers with old templates, want one text."""
    return manner.vendor in _SAME_AS_OPENAI


def knows_cache_keys(manner: Manner) -> bool:
    """Whether there is prompt_cache_key: a hint, which others have no use for."""
    return manner.vendor in _SAME_AS_OPENAI


def takes_top_k(manner: Manner) -> bool:
    return manner.vendor in _TOP_K


def takes_cache_marks(manner: Manner) -> bool:
    """Whether cache_control is for it; the others cache by themselves."""
    return manner.vendor in _CACHE_MARKS


def takes_proofs(manner: Manner) -> bool:
    """Whether it takes thoughts back with their signatures, and hands them on to whose they are."""
    return manner.vendor == _OPENROUTER


def takes_thoughts(manner: Manner) -> bool:
    """Whether it takes plain thoughts back. DeepSeek and Moonshot refuse a tool's result without those behind it."""
    return manner.vendor in _THOUGHTS


def takes_reasoning(manner: Manner) -> bool:
    """Whether it has the object `reasoning`, which knows budgets too."""
    return manner.vendor == _OPENROUTER


def takes_urls_of_files(manner: Manner) -> bool:
    return manner.vendor == _OPENROUTER


def takes_call_signatures(manner: Manner) -> bool:
    """Whether a tool call's thought is proven in its `extra_content`: Google's own wish."""
    return manner.vendor == _GOOGLE


def has_switch(manner: Manner) -> bool:
    """Whether `thinking` turns thoughts on and off."""
    return manner.vendor in _SWITCHES


def never_thinks(model: str) -> bool:
    """Whether a model has no thoughts that could be turned off."""
    return model.rpartition("/")[2].startswith(_NEVER_THINK)
