"""The console's table of operations."""

from facade.surfaces.console import account, keys, providers, stats, users

OPERATIONS = (
    *account.OPERATIONS,
    *users.OPERATIONS,
    *keys.OPERATIONS,
    *providers.OPERATIONS,
    *stats.OPERATIONS,
)
