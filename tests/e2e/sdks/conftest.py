"""The service of the matrix, and what every client is asked to do."""

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from tests.e2e.matrix.conftest import stage
from tests.e2e.matrix.stage import WIRES, Stage

__all__ = ["stage"]


class Weather(BaseModel):
    """What the model fills in."""

    city: str
    degrees: int
    rain: bool


FILLED_IN = Weather(city="Graz", degrees=21, rain=True)


@pytest.fixture(params=WIRES)
def model(request: pytest.FixtureRequest, stage: Stage) -> Iterator[str]:
    """A model of each wire, whose fake must have had nothing to complain of."""
    stage.complaints()
    yield f"{request.param}/{WIRES[request.param].model}"
    assert not stage.complaints()
