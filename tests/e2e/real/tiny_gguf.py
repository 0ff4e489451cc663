"""Writes a tiny llama-architecture GGUF file that llama.cpp loads, chats and embeds with.

End-to-end tests against a real inference server need a model, and a test run must download none. So this
module builds one: a few hundred kilobytes, the same bytes on every run (seeded), and every part of a real
model present (tokenizer, chat template with tools, attention and feed-forward layers).

The weights are not trained, but they are not plain noise either. Noise would answer with whatever bytes won
the argmax: invalid UTF-8, answers that never end, JSON strings that never close. Instead the output layer
holds a small hand-made bigram table:

* any prompt leads to `ANSWER`, one token for each item of `ANSWER_PIECES`, and then to the end-of-turn token,
  so an unlimited answer ends with "stop" and one limited to fewer tokens ends with "length";
* where the server's grammar forbids to end there, because a tool call is required, the call follows;
* under a grammar the end of the turn outranks going on, a JSON string is `STRING_VALUE`, and punctuation that
  closes a value outranks punctuation that continues it, so constrained answers end soon and parse;
* raw bytes, control tokens and white space are never preferred, so the text is printable ASCII.

The transformer layers are random and small beside that signal: they make the server do the real work
(attention over the KV cache) and make embeddings depend on context, without changing which token wins.
"""

from __future__ import annotations

import argparse
import importlib
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

ANSWER_PIECES: Final[tuple[str, ...]] = (
    "Hello", " from", " a", " tiny", " language", " model", " running", " locally", ".",
)  # fmt: skip
"""The pieces of the answer in order, each of them one token. No piece may occur twice (see `_SUCCESSORS`)."""

ANSWER: Final[str] = "".join(ANSWER_PIECES)
"""What the model answers to every chat that no grammar constrains.

So too to a raw completion's prompt, unless that ends with a double quote or inside this very text.
"""

STRING_VALUE: Final[str] = "sample"
"""The content of a JSON string that a grammar asks for and leaves free (a tool argument, for example)."""

EMBEDDING_DIMENSIONS: Final[int] = 64
"""Length of the vectors that the server's embeddings endpoint returns: the model's hidden size."""

CONTEXT_LENGTH: Final[int] = 8192
"""The context length that the file declares. Text outside the answer costs about a token a character."""

MODEL_NAME: Final[str] = "tiny-llama"

_LAYERS: Final = 2
_HEADS: Final = 4
_FEED_FORWARD: Final = 128
_SEED: Final = 20240229
_RMS_EPSILON: Final = 1e-5

# SentencePiece's visible stand-in for a space, as llama.cpp's "llama" tokenizer expects it in token texts.
_SPACE: Final = "\u2581"

_UNKNOWN: Final = "<unk>"
_BEGIN: Final = "<s>"
_TURN_START: Final = "<|im_start|>"
_TURN_END: Final = "<|im_end|>"
_TOOL_CALL: Final = "<tool_call>"
_QUOTE: Final = '"'

# Logits before the (small) contribution of the random layers. Neighbours lie 4 or more apart so that neither
# that contribution nor sampling at an ordinary temperature swaps them.
_NEVER: Final = -60.0
_AVOIDED: Final = -40.0
_ONLY_AS_SUCCESSOR: Final = -8.0
_ORDINARY: Final = 0.0
_PREFERRED: Final[dict[str, float]] = {
    "1": 4.0,  # a number, where one must start; what may follow it (below) outranks a second digit
    ":": 8.0,
    ",": 8.0,
    "<": 12.0,  # of </tool_call>, which ends a call where a comma would start another one
    "]": 12.0,
    "}": 16.0,
    _TURN_END: 20.0,
    ANSWER_PIECES[0]: 32.0,
}

# The bigram table: the logits of what follows each of these tokens. The first one is meant, the ones after it
# are for the places where a grammar forbids the first. Each key gets a hidden dimension of its own, which is
# why no token may stand in two places of the answer.
_SUCCESSORS: Final[dict[str, dict[str, float]]] = {
    **{piece: {following: 44.0} for piece, following in pairwise(ANSWER_PIECES)},
    ANSWER_PIECES[-1]: {_TURN_END: 44.0, _TOOL_CALL: 40.0},
    _QUOTE: {STRING_VALUE: 44.0},
    STRING_VALUE: {_TURN_END: 44.0, _QUOTE: 40.0},
    # Only where a string must be longer than `STRING_VALUE` does an answer, and so this token, get into it.
    _TOOL_CALL: {_QUOTE: 44.0},
}

# ChatML with tools, in the form that many open models use: llama.cpp infers from it how tool calls are
# written, and so which grammar a forced tool call must follow. No line break may follow <tool_call>: it would
# become part of the opening that the grammar waits for, and nothing here writes line breaks.
CHAT_TEMPLATE: Final[str] = """\
{%- if tools %}
{{- '<|im_start|>system\\n' }}
{%- if messages[0].role == 'system' %}{{- messages[0].content + '\\n\\n' }}{%- endif %}
{{- 'Functions you may call:\\n<tools>' }}
{%- for tool in tools %}{{- '\\n' + (tool | tojson) }}{%- endfor %}
{{- '\\n</tools>\\nTo call one, write <tool_call>{"name": NAME, "arguments": ARGUMENTS}</tool_call>' }}
{{- '<|im_end|>\\n' }}
{%- elif messages[0].role == 'system' %}
{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}
{%- endif %}
{%- for message in messages %}
{%- if message.role == 'system' and loop.first %}
{%- elif message.role == 'tool' %}
{{- '<|im_start|>user\\n<tool_response>\\n' + message.content + '\\n</tool_response><|im_end|>\\n' }}
{%- else %}
{{- '<|im_start|>' + message.role + '\\n' }}
{%- if message.content %}{{- message.content }}{%- endif %}
{%- for tool_call in message.tool_calls or [] %}
{%- if not loop.first or message.content %}{{- '\\n' }}{%- endif %}
{{- '<tool_call>{"name": "' + tool_call.function.name + '", "arguments": ' }}
{{- tool_call.function.arguments | tojson }}
{{- '}</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}
"""


@dataclass(frozen=True, slots=True)
class _Token:
    """One vocabulary entry: its text as GGUF stores it, and the name of its `gguf.TokenType` member."""

    text: str
    kind: str


def _vocabulary() -> list[_Token]:
    """The whole vocabulary in id order: control tokens, the 256 bytes, printable ASCII, answer pieces."""
    tokens = [
        _Token(_UNKNOWN, "UNKNOWN"),
        _Token(_BEGIN, "CONTROL"),
        _Token(_TURN_START, "CONTROL"),
        _Token(_TURN_END, "CONTROL"),
        _Token(_TOOL_CALL, "USER_DEFINED"),
    ]
    # Byte tokens are the tokenizer's fallback for everything else (line breaks, non-ASCII prompts):
    # llama.cpp refuses to tokenize such text when one of them is missing.
    tokens += [_Token(f"<0x{byte:02X}>", "BYTE") for byte in range(256)]
    characters = [chr(code) for code in range(0x20, 0x7F)]
    tokens += [_Token(character.replace(" ", _SPACE), "NORMAL") for character in characters]
    words = [word for word in (*ANSWER_PIECES, STRING_VALUE) if word not in characters]
    tokens += [_Token(word.replace(" ", _SPACE), "NORMAL") for word in words]
    return tokens


# What the hidden dimensions mean, which is what makes the bigram table exact. Dimension 0 is the same for
# every token, so an output row's entry there is that token's bias (the architecture has no output bias). Each
# key of `_SUCCESSORS` has a dimension of its own, so "the last token was this one" is a number that output
# rows can react to. All other tokens share the rest with random directions: the output layer does not read
# them, embeddings live from them.
_DIMENSION_CONSTANT: Final = 0
_DIMENSION_FIRST_KEY: Final = 1
_DIMENSION_FIRST_SHARED: Final = _DIMENSION_FIRST_KEY + len(_SUCCESSORS)

# Before the final norm a hidden state is about (1, unit vector), of length sqrt(2). RMS norm divides by
# sqrt(2 / dimensions); this weight undoes that, so that output rows are in units of logits.
_OUTPUT_NORM: Final = math.sqrt(2.0 / EMBEDDING_DIMENSIONS)


def _require(module: str) -> Any:
    """Imports an optional package by name and returns it untyped.

    Why not a plain import: the package belongs to the optional end-to-end dependencies, and a type check
    without them would report every use of it as unknown.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"{module} is needed to write the test model; install the optional end-to-end dependencies",
            name=module,
        ) from error


def _base_logit(token: _Token) -> float:
    """The token's logit when the token before it is none of those in `_SUCCESSORS`."""
    text = token.text.replace(_SPACE, " ")
    if text in _PREFERRED:
        return _PREFERRED[text]
    if token.kind != "NORMAL":
        return _NEVER
    if text in ANSWER_PIECES or text in (STRING_VALUE, _QUOTE):
        return _ONLY_AS_SUCCESSOR
    # JSON allows white space almost everywhere: were it attractive, constrained answers would not end.
    return _AVOIDED if text == " " else _ORDINARY


def _tensors(tokens: list[_Token]) -> dict[str, Any]:
    """All weights by GGUF tensor name, as float32 numpy arrays (rows are outputs)."""
    np = _require("numpy")
    random = np.random.default_rng(_SEED)
    ids = {token.text.replace(_SPACE, " "): index for index, token in enumerate(tokens)}
    vocabulary, width = len(tokens), EMBEDDING_DIMENSIONS

    def noise(rows: int, columns: int, scale: float) -> Any:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    embedding = np.zeros((vocabulary, width), dtype=np.float32)
    shared = noise(vocabulary, width - _DIMENSION_FIRST_SHARED, 1.0)
    embedding[:, _DIMENSION_FIRST_SHARED:] = shared / np.linalg.norm(shared, axis=1, keepdims=True)
    output = np.zeros((vocabulary, width), dtype=np.float32)
    output[:, _DIMENSION_CONSTANT] = [_base_logit(token) for token in tokens]
    for dimension, (key, successors) in enumerate(_SUCCESSORS.items(), start=_DIMENSION_FIRST_KEY):
        embedding[ids[key], :] = 0.0
        embedding[ids[key], dimension] = 1.0
        for successor, logit in successors.items():
            output[ids[successor], dimension] = logit - _base_logit(tokens[ids[successor]])
    embedding[:, _DIMENSION_CONSTANT] = 1.0

    tensors: dict[str, Any] = {
        "token_embd.weight": embedding,
        "output_norm.weight": np.full(width, _OUTPUT_NORM, dtype=np.float32),
        "output.weight": output,
    }
    # Inner weights keep activations near 1; the two that write back into the hidden state are ten times
    # smaller, so that all layers together move it by some per cent and the bigram table still decides.
    inner, back = 0.05, 0.005
    for layer in range(_LAYERS):
        for name, rows, columns, scale in (
            ("attn_q", width, width, inner),
            ("attn_k", width, width, inner),
            ("attn_v", width, width, inner),
            ("attn_output", width, width, back),
            ("ffn_gate", _FEED_FORWARD, width, inner),
            ("ffn_up", _FEED_FORWARD, width, inner),
            ("ffn_down", width, _FEED_FORWARD, back),
        ):
            tensors[f"blk.{layer}.{name}.weight"] = noise(rows, columns, scale)
        for name in ("attn_norm", "ffn_norm"):
            tensors[f"blk.{layer}.{name}.weight"] = np.ones(width, dtype=np.float32)
    return tensors


def write_tiny_gguf(path: Path) -> Path:
    """Writes the model to `path` (its directory must exist; a file there is replaced) and returns `path`.

    Needs the packages gguf and numpy: raises `ModuleNotFoundError` with a hint where one is missing. Why a
    function of the path alone: every run and machine must test with the same model.
    """
    gguf = _require("gguf")
    tokens = _vocabulary()
    ids = {token.text: index for index, token in enumerate(tokens)}
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(MODEL_NAME)
    writer.add_file_type(int(gguf.LlamaFileType.ALL_F32))
    writer.add_vocab_size(len(tokens))
    writer.add_context_length(CONTEXT_LENGTH)
    writer.add_embedding_length(EMBEDDING_DIMENSIONS)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_rope_dimension_count(EMBEDDING_DIMENSIONS // _HEADS)
    writer.add_layer_norm_rms_eps(_RMS_EPSILON)

    writer.add_tokenizer_model("llama")
    writer.add_token_list([token.text for token in tokens])
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types([int(gguf.TokenType[token.kind]) for token in tokens])
    writer.add_unk_token_id(ids[_UNKNOWN])
    writer.add_bos_token_id(ids[_BEGIN])
    writer.add_eos_token_id(ids[_TURN_END])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(CHAT_TEMPLATE)

    for name, tensor in _tensors(tokens).items():
        writer.add_tensor(name, tensor)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    finally:
        writer.close()
    return path


def main(arguments: list[str] | None = None) -> int:
    """Command line: writes the model to the given path and prints the path and the size; returns 0."""
    parser = argparse.ArgumentParser(description="Write the tiny GGUF model of the end-to-end tests.")
    parser.add_argument("out", type=Path, metavar="OUT", help="the file to write")
    out: Path = parser.parse_args(arguments).out
    written = write_tiny_gguf(out)
    print(f"{written}: {written.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
