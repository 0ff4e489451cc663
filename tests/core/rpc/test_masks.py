"""Field masks."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from core.errors import InvalidArgument
from core.rpc.masks import fields_to_change
from llmrouter.v1.admin_pb2 import ProviderTimeouts, UpdateProviderRequest, UpdateUserRequest

KNOWN = ("role", "disabled", "full_name")


def test_the_mask_says_what_to_change_whatever_is_set():
    request = UpdateUserRequest(update_mask=FieldMask(paths=["disabled", "full_name", "disabled"]), email="a@b")
    assert fields_to_change(request, KNOWN) == {"disabled", "full_name"}


def test_without_a_mask_it_is_what_is_set():
    request = UpdateUserRequest(id=5, disabled=False, full_name="Alice", email="not@known")
    assert fields_to_change(request, KNOWN) == {"full_name"}
    assert fields_to_change(UpdateUserRequest(id=5), KNOWN) == frozenset()


def test_a_message_counts_as_set_even_if_it_is_empty():
    request = UpdateProviderRequest(timeouts=ProviderTimeouts())
    assert fields_to_change(request, ("name", "timeouts")) == {"timeouts"}


@pytest.mark.parametrize("paths", [["role", "id"], ["Role"], [""], ["role.name"], ["*"], ["role"] * 101])
def test_what_is_not_known_is_refused(paths: list[str]):
    with pytest.raises(InvalidArgument) as caught:
        fields_to_change(UpdateUserRequest(update_mask=FieldMask(paths=paths)), KNOWN)
    assert caught.value.field == "update_mask"
    assert len(caught.value.message) < 300
