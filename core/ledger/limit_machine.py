"""What a machine remembers of being one of several: its name, and which part of each limit is its own."""

import os
import secrets
from pathlib import Path

from core.ledger.limit_counters import WHOLE, Share


class Machine:
    """Kept in files, so that all processes know it, and those that start while Redis is gone."""

    def __init__(self, folder: Path) -> None:
        """folder: of this installation's counts. Raises OSError."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._share = folder / "share"
        self.name = _name(folder / "machine")

    def share(self) -> Share:
        """The part that was last known to be its own; all, where it never knew of another machine."""
        try:
            of, number = map(int, self._share.read_text().split())
        except (OSError, ValueError):
            return WHOLE
        return Share(of, number) if 0 <= number < of else WHOLE

    def keep(self, share: Share) -> None:
        """Remembers its part. A full disk is no reason to stop."""
        new = self._share.with_suffix(f".{os.getpid()}")
        try:
            new.write_text(f"{share.of} {share.number}\n")
            new.replace(self._share)
        except OSError:
            new.unlink(missing_ok=True)


def _name(path: Path) -> str:
    """The machine's name: made by the first of its processes, whole or not at all."""
    new = path.with_suffix(f".{secrets.token_hex(4)}")
    new.write_text(secrets.token_hex(8))
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
    return path.read_text()
