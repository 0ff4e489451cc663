"""Cost control's table of operations."""

from facade.surfaces.cost_control import overview, token, virtual_keys

OPERATIONS = (
    *token.OPERATIONS,
    *virtual_keys.OPERATIONS,
    *overview.OPERATIONS,
)
