"""The models that can be called, under /api/v1."""

from facade.model_list import operations

OPERATIONS = operations("/api/v1")
