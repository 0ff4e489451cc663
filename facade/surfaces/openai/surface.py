"""The OpenAI-compatible API of the console's document, under /api/v1."""

from facade.phrases import SCHEMA, render
from facade.surface import Surface

OPENAI = Surface(name="openai", prefix="/api/v1/", render=render, error_schema=SCHEMA, title="OpenAI-compatible")
