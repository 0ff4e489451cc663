"""The operations that the link carries, against those that the protocol names and the wires that there are."""

from core.dialects.table import DIALECTS
from core.rpc.relay import OPERATIONS
from llmrouter.v1 import router_pb2 as pb


def test_every_operation_of_the_protocol_is_relayed():
    assert set(OPERATIONS) == set(pb.Operation.values()) - {pb.OPERATION_UNSPECIFIED}


def test_every_operation_of_a_wire_is_relayed():
    assert set(OPERATIONS.values()) == set(DIALECTS)


def test_no_two_operations_are_one():
    assert len(set(OPERATIONS.values())) == len(OPERATIONS)
