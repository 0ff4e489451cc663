"""A copy of the last good configuration file, for a process that starts again while the file is wrong.

It is the text of the file, so `${VARIABLE}` stays what it is there, and nobody else may read it.
"""

import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

_NAME = "last-good.yaml"


class GoodCopy:
    """The copy in a data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / _NAME

    def exists(self) -> bool:
        return self.path.exists()

    def keep(self, text: str) -> None:
        """Takes the text as the last good one. Where it can't be written, the one before stays."""
        data = text.encode()
        draft = self.path.with_name(f"{_NAME}.{os.getpid()}")
        try:
            if self.exists() and self.path.read_bytes() == data:
                return
            draft.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(data)
            draft.replace(self.path)
        except OSError as error:
            log.warning("the configuration can't be kept for a restart: %s", error.strerror)
