"""Log probabilities: Gemini has the chosen tokens and their rivals in two lists, the form between wires in one."""

import msgspec

from core.dialects.canonical import NO_JSON
from core.dialects.gemini.wire import LogprobsCandidate, LogprobsResult, TopCandidates


class _Rival(msgspec.Struct):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class _Token(msgspec.Struct):
    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[_Rival] | None = None


class _Tokens(msgspec.Struct):
    content: list[_Token] | None = None
    refusal: msgspec.Raw = msgspec.Raw(b"null")


_decode = msgspec.json.Decoder(_Tokens, strict=False).decode
_encode = msgspec.json.Encoder().encode


def read_logprobs(result: LogprobsResult) -> msgspec.Raw:
    """As OpenAI has them; NO_JSON where there are none."""
    if not result.chosen_candidates:
        return NO_JSON
    rivals = result.top_candidates or []
    content: list[_Token] = []
    for number, chosen in enumerate(result.chosen_candidates):
        top = (rivals[number].candidates or []) if number < len(rivals) else []
        token, logprob = chosen.token or "", chosen.log_probability or 0.0
        others = [_Rival(each.token or "", each.log_probability or 0.0, _bytes(each.token or "")) for each in top]
        content.append(_Token(token, logprob, _bytes(token), others))
    return msgspec.Raw(_encode(_Tokens(content)))


def write_logprobs(raw: msgspec.Raw) -> LogprobsResult | None:
    """As Gemini has them; None where there are none, or where they are not what OpenAI has."""
    if not bytes(raw):
        return None
    try:
        content = _decode(raw).content
    except (ValueError, RecursionError):
        return None
    if not content:
        return None
    return LogprobsResult(
        chosen_candidates=[LogprobsCandidate(token.token, token.logprob) for token in content],
        top_candidates=[
            TopCandidates([LogprobsCandidate(each.token, each.logprob) for each in token.top_logprobs or []])
            for token in content
        ],
    )


def _bytes(token: str) -> list[int]:
    return list(token.encode(errors="replace"))
