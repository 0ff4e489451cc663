"""Paths that two APIs have in common."""

from dataclasses import replace

import pytest

from facade.common_paths import told_apart
from facade.route import Doc, Route
from facade.surfaces.gemini.surface import GEMINI
from facade.surfaces.operations.health import health

ROUTE = Route(method="GET", path="/x", surface=GEMINI, handler=health, doc=Doc(summary="", success={}))


def test_what_only_one_of_the_two_has_is_a_mistake():
    with pytest.raises(ValueError, match="nobody else has /y"):
        told_apart((ROUTE,), (ROUTE, replace(ROUTE, path="/y")), lambda call: True, "words")


def test_what_is_not_in_common_stays_as_it_is():
    other = replace(ROUTE, path="/y")
    common, alone = told_apart((ROUTE, other), (ROUTE,), lambda call: True, "words")
    assert alone is other
    assert common.doc.description == "words"
