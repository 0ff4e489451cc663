"""A real, local, OpenAI-compatible model server for the end-to-end tests (no network, no key)."""
