"""Operations: what balancers, monitoring and people with curl ask; no credential is needed."""

from facade.phrases import SCHEMA, render
from facade.surface import Surface

OPERATIONS = Surface(name="operations", prefix="/", render=render, error_schema=SCHEMA, title="Operations")
