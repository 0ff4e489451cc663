"""Shows the version of llmrouter and of the Python that runs it."""

import platform
from argparse import ArgumentParser, Namespace

from core import __version__

EXAMPLES = "example:\n  llmrouter version"


def configure(parser: ArgumentParser) -> None:
    pass


def run(arguments: Namespace, load: object) -> int:
    print(f"llmrouter {__version__} (Python {platform.python_version()}, {platform.system()})")
    return 0
