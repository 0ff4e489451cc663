"""The options of `llmrouter core` and `llmrouter facade` alike."""

from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError

_MOST = 64


def add_process_options(parser: ArgumentParser) -> None:
    """`--worker`, and what `llmrouter serve` passes to its children."""
    parser.add_argument(
        "--worker", type=_worker, default=0, metavar="N", help="its number where several run (default 0)"
    )
    parser.add_argument("--restarted", action="store_true", help=SUPPRESS)
    parser.add_argument("--supervisor-fd", type=int, help=SUPPRESS)


def _worker(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) >= _MOST:
        raise ArgumentTypeError(f"'{text}' is not a number from 0 to {_MOST - 1}")
    return int(text)
