"""Where requests go: addresses that stay, and addresses with the model in them."""

import pytest
from multidict import CIMultiDict

from core.errors import InvalidArgument
from core.providers.endpoint import Endpoint, endpoint
from core.providers.wire import OPENAI, ByModel

BASE = "https://models.test/v1"


def at(path: str | ByModel, base_url: str = BASE) -> Endpoint:
    return endpoint(base_url, path, OPENAI, CIMultiDict[str]())


def test_a_fixed_address_is_the_same_for_every_request():
    place = at("/chat/completions")
    assert {place.target(model, streamed=streamed) for model in ("a", "b") for streamed in (True, False)} == {
        b"/v1/chat/completions"
    }


@pytest.mark.parametrize(
    ("model", "target"),
    [
        ("gemini-2.5-pro", b"/v1/models/gemini-2.5-pro:ask"),
        ("a/b", b"/v1/models/a%2Fb:ask"),
        ("a:b", b"/v1/models/a%3Ab:ask"),
        ("../../x?y#z", b"/v1/models/..%2F..%2Fx%3Fy%23z:ask"),
        ("a b\r\nHost: x", b"/v1/models/a%20b%0D%0AHost%3A%20x:ask"),
        ("50%25", b"/v1/models/50%2525:ask"),
        ("modèle", b"/v1/models/mod%C3%A8le:ask"),
    ],
)
def test_a_models_name_is_one_step_of_the_path(model: str, target: bytes):
    assert at(ByModel("/models/{model}:ask")).target(model, streamed=False) == target


@pytest.mark.parametrize("model", [".", ".."])
def test_no_model_leads_to_another_path(model: str):
    with pytest.raises(InvalidArgument) as caught:
        at(ByModel("/{model}/chat")).target(model, streamed=False)
    assert caught.value.field == "model"


def test_streams_may_have_an_address_of_their_own():
    place = at(ByModel("/{model}:ask", "/{model}:stream?alt=sse"))
    assert place.target("m", streamed=False) == b"/v1/m:ask"
    assert place.target("m", streamed=True) == b"/v1/m:stream?alt=sse"
    assert at(ByModel("/{model}/chat")).target("m", streamed=True) == b"/v1/m/chat"


def test_the_query_of_a_base_url_goes_behind_the_path():
    base = "https://models.test/deployments?api-version=2024-10-21"
    assert at("/chat", base).target("", streamed=False) == b"/deployments/chat?api-version=2024-10-21"
    both = at(ByModel("/{model}?alt=sse"), base)
    assert both.target("m", streamed=False) == b"/deployments/m?alt=sse&api-version=2024-10-21"
