"""TextRequest as the body of POST /completions."""

from core.rpc.request_body import MAX_TOKENS, TEMPERATURE, Body, Ranges
from llmrouter.v1 import router_pb2 as pb

_NUMBERS: Ranges = {
    "max_tokens": (0, MAX_TOKENS),  # with `echo`, 0 asks for the prompt alone
    "temperature": TEMPERATURE,
    "top_p": (0, 1),
    "n": (1, 128),
    "seed": (-(2**63), 2**63 - 1),
    "presence_penalty": (-2, 2),
    "frequency_penalty": (-2, 2),
}


def text_body(request: pb.TextRequest, *, stream: bool) -> bytes:
    """The body of a text completion. Raises InvalidArgument, ModelRequired."""
    body = Body(request, "text", request.extra_json)
    body.model()
    prompts = list(request.prompts)
    if prompts:
        body.fields["prompt"] = prompts if len(prompts) > 1 else prompts[0]  # some providers know no lists
    elif not body.has_extra("prompt"):
        raise body.wrong("prompts", "must hold at least one text")
    body.numbers(_NUMBERS)
    body.switches(("echo",))
    body.texts(("stop", "suffix", "user"))
    return body.encode(stream=stream)
