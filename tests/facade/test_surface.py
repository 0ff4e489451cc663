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
        ("/v1/x", "gateway"),
        ("/", "operations"),
        ("/v1x", "operations"),
        ("", "operations"),
    ],
)
def test_each_path_has_a_surface(path: str, name: str):
    assert Surfaces(SURFACES).of_path(path).name == name
