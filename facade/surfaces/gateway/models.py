"""The models that can be called, under /v1."""

from facade.model_list import operations

OPERATIONS = operations("/v1")
