"""Field masks: which fields of an update are to be changed."""

from collections.abc import Collection
from typing import Protocol

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from core.errors import InvalidArgument

_MAX_PATHS = 100


class Update(Protocol):
    """A request with a mask; it is a protobuf message too."""

    @property
    def update_mask(self) -> FieldMask: ...


def fields_to_change(request: Update, known: Collection[str]) -> frozenset[str]:
    """The names of the fields to change: those in the mask, and where it is empty those that are set.

    known: the names that may be changed. A field of a plain type counts as set where it is not 0, "" or
    false; to change one to that, name it in the mask. Raises InvalidArgument for a name that is not known.
    """
    paths = request.update_mask.paths
    if not paths:
        assert isinstance(request, Message)
        return frozenset(field.name for field, _ in request.ListFields() if field.name in known)
    if len(paths) > _MAX_PATHS:
        raise InvalidArgument("too many fields", field="update_mask")
    for path in paths:
        if path not in known:
            raise InvalidArgument(
                f"can't change '{path[:100]}'; known are {', '.join(sorted(known))}", field="update_mask"
            )
    return frozenset(paths)
