"""Files and batches through RouterService."""

from collections.abc import AsyncIterator

import pytest

from llmrouter.v1 import router_pb2 as pb
from tests.support.inference import Inference
from tests.support.objects_upstream import ObjectsUpstream
from tests.support.openai_upstream import error, listening, whole
from tests.support.refusals import refused


@pytest.fixture
async def openai_upstream() -> AsyncIterator[ObjectsUpstream]:
    async with listening(ObjectsUpstream()) as upstream:
        yield upstream


def an_upload(**fields: object) -> pb.UploadFileRequest:
    given = {"content": b"{}", "filename": "a.jsonl", "purpose": "batch", **fields}
    return pb.UploadFileRequest(**given)  # pyright: ignore[reportArgumentType] - fields of the message


async def test_objects_come_to_the_letter(inference: Inference, openai_upstream: ObjectsUpstream):
    said = b'{"id": "file-1",  "object":"file", "bytes": 2.0}'
    openai_upstream.script(whole(said))
    made = await inference.router.UploadFile(an_upload(), metadata=inference.metadata)
    assert (made.file_json, made.provider) == (said.decode(), "upstream")
    listed = await inference.router.ListFiles(pb.ListFilesRequest(), metadata=inference.metadata)
    assert list(listed.files_json) == [said.decode()]
    openai_upstream.keep("file-1", b"x" * 200_000)
    pieces = inference.router.GetFileContent(pb.GetFileContentRequest(id="file-1"), metadata=inference.metadata)
    read = [piece async for piece in pieces]
    assert read[0].content_type == "application/jsonl"
    assert b"".join(piece.data for piece in read) == b"x" * 200_000
    assert max(len(piece.data) for piece in read) <= 65_536


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"purpose": ""}, "purpose"),
        ({"purpose": "a" * 101}, "purpose"),
        ({"purpose": 'a"\r\n'}, "purpose"),
        ({"filename": ""}, "file"),
        ({"filename": "a" * 301}, "file"),
        ({"filename": "a\r\nb"}, "file"),
        ({"fields": {"purpose": "other"}}, "purpose"),
        ({"fields": {"file": "other"}}, "file"),
        ({"fields": {"a": "b" * 1001}}, "a"),
        ({"provider": "echo"}, "x-llmrouter-provider"),
    ],
)
async def test_what_would_make_another_form_is_refused(
    inference: Inference, openai_upstream: ObjectsUpstream, fields: dict[str, object], field: str
):
    with refused("INVALID_ARGUMENT", field):
        await inference.router.UploadFile(an_upload(**fields), metadata=inference.metadata)
    assert openai_upstream.requests == []


async def test_a_providers_error_comes_with_its_status_and_words(
    inference: Inference, openai_upstream: ObjectsUpstream
):
    openai_upstream.script(error(429, retry_after="7"))
    with refused("UPSTREAM_STATUS"):
        await inference.router.UploadFile(an_upload(), metadata=inference.metadata)


async def test_ids_that_can_be_none_are_not_there(inference: Inference, openai_upstream: ObjectsUpstream):
    for name in ("", "..", "a/b", "a" * 81, "a\x00"):
        with refused("NOT_FOUND"):
            await inference.router.GetFile(pb.GetFileRequest(id=name), metadata=inference.metadata)
        with refused("NOT_FOUND"):
            await inference.router.GetBatch(pb.GetBatchRequest(id=name), metadata=inference.metadata)
    assert openai_upstream.looks == []
