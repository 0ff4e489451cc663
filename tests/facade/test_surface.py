"""Surfaces: whose a path is."""

import pytest

from facade.app import SURFACES
from facade.surface import Surfaces


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/users", "console"),
        ("/api", "console"),
        ("/api/v1/x", "openai"),
        ("/api/v1", "openai"),
        ("/api/v11", "console"),
        ("/api/auth/me", "shared"),
        ("/api/auth/me/x", "shared"),
        ("/api/auth/token/x", "cost_control"),
        ("/api/metrics/x", "cost_control"),
        ("/api/admin/virtual-keys/1/x", "cost_control"),
        ("/api/admin/users", "console"),
        ("/v1/x", "gateway"),
        ("/v1/messages", "messages"),
        ("/v1/messages/batches", "messages"),
        ("/v1/messagesx", "gateway"),
        ("/proxy/x", "proxy_openai"),
        ("/proxy/anthropic/x", "proxy_anthropic"),
        ("/proxy/google/x", "proxy_google"),
        ("/v1beta/x", "gemini"),
        ("/v1beta", "gemini"),
        ("/", "operations"),
        ("/v1x", "operations"),
        ("", "operations"),
    ],
)
def test_each_path_has_a_surface(path: str, name: str):
    assert Surfaces(SURFACES).of_path(path).name == name
