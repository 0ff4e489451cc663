"""The console: the administrative JSON API under /api."""

from facade.phrases import SCHEMA, render
from facade.surface import Surface

CONSOLE = Surface(name="console", prefix="/api/", render=render, error_schema=SCHEMA, title="Console")
