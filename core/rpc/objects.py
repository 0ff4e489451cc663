"""Files and batches that lie at providers, of RouterService."""

import re
import secrets
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any, Final

from core.auth import Principal
from core.deps import Deps
from core.errors import InvalidArgument, TooLarge, UpstreamStatus
from core.providers.objects import Body
from core.routing.objects import Maker
from core.rpc import caller, paging, upstream_error
from llmrouter.v1 import router_pb2 as pb

_MOST_FILES: Final = 100
_BATCHES, _MOST_BATCHES = 20, 100
_LONGEST_NAME: Final = 300
_LONGEST_PURPOSE: Final = 100
_LONGEST_FIELD: Final = 1000
_MOST_FIELDS: Final = 16
_LARGEST_BATCH: Final = 64 * 1024  # bytes: the requests are in the file
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_MEDIA_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_RESERVED: Final = frozenset({"file", "purpose"})


class ObjectMethods:
    """What providers keep for users."""

    deps: Deps

    async def UploadFile(self, request: pb.UploadFileRequest, context: Any) -> pb.UploadFileResponse:
        user = await self._admitted()
        if len(request.content) > self.deps.settings.max_body:
            raise TooLarge(f"a file may have {self.deps.settings.max_body} bytes", field="file")
        form = _form(request)
        maker = Maker(user, caller.current().surface)
        with _mirroring():
            text, provider = await self.deps.objects.upload(maker, request.provider, request.purpose, form)
        return pb.UploadFileResponse(file_json=text, provider=provider)

    async def ListFiles(self, request: pb.ListFilesRequest, context: Any) -> pb.ListFilesResponse:
        user = await self._admitted()
        files, more = await self.deps.objects.files(
            user.user_id,
            after=request.after,
            size=paging.page_size(request.page_size, default=_MOST_FILES, most=_MOST_FILES),
            ascending=request.ascending,
            purpose=request.purpose,
        )
        return pb.ListFilesResponse(files_json=files, has_more=more)

    async def GetFile(self, request: pb.GetFileRequest, context: Any) -> pb.GetFileResponse:
        user = await self._admitted()
        with _mirroring():
            return pb.GetFileResponse(file_json=await self.deps.objects.look(user.user_id, request.id))

    async def DeleteFile(self, request: pb.DeleteFileRequest, context: Any) -> pb.DeleteFileResponse:
        user = await self._admitted()
        with _mirroring():
            return pb.DeleteFileResponse(deleted_json=await self.deps.objects.delete(user.user_id, request.id))

    async def GetFileContent(
        self, request: pb.GetFileContentRequest, context: Any
    ) -> AsyncIterator[pb.GetFileContentResponse]:
        user = await self._admitted()
        with _mirroring():
            async with self.deps.objects.read(user.user_id, request.id) as content:
                yield pb.GetFileContentResponse(content_type=content.content_type)
                async for piece in content.pieces:
                    yield pb.GetFileContentResponse(data=piece)

    async def CreateBatch(self, request: pb.CreateBatchRequest, context: Any) -> pb.CreateBatchResponse:
        user = await self._admitted()
        if len(request.batch_json) > _LARGEST_BATCH:
            raise TooLarge(f"a batch without its requests may have {_LARGEST_BATCH} bytes")
        maker = Maker(user, caller.current().surface)
        with _mirroring():
            return pb.CreateBatchResponse(batch_json=await self.deps.batches.create(maker, request.batch_json))

    async def ListBatches(self, request: pb.ListBatchesRequest, context: Any) -> pb.ListBatchesResponse:
        user = await self._admitted()
        size = paging.page_size(request.page_size, default=_BATCHES, most=_MOST_BATCHES)
        batches, more = await self.deps.batches.page(user.user_id, after=request.after, size=size)
        return pb.ListBatchesResponse(batches_json=batches, has_more=more)

    async def GetBatch(self, request: pb.GetBatchRequest, context: Any) -> pb.GetBatchResponse:
        user = await self._admitted()
        with _mirroring():
            return pb.GetBatchResponse(batch_json=await self.deps.batches.look(user.user_id, request.id))

    async def CancelBatch(self, request: pb.CancelBatchRequest, context: Any) -> pb.CancelBatchResponse:
        user = await self._admitted()
        with _mirroring():
            return pb.CancelBatchResponse(batch_json=await self.deps.batches.cancel(user.user_id, request.id))

    async def _admitted(self) -> Principal:
        """Who calls, and may do so now. Raises RateLimited, Unavailable."""
        principal = caller.current().principal
        await self.deps.pipeline.admit(principal)
        return principal


@contextmanager
def _mirroring() -> Generator[None]:
    """What a provider says of an error goes on in its words."""
    try:
        yield
    except UpstreamStatus as error:
        raise upstream_error.mirrored(error) from error


def _form(request: pb.UploadFileRequest) -> Body:
    """The upload as OpenAI's form. Raises InvalidArgument."""
    if not request.purpose:
        raise InvalidArgument("purpose is required", field="purpose")
    _check("purpose", request.purpose, _LONGEST_PURPOSE)
    if not request.filename:
        raise InvalidArgument("file must be a file with a name", field="file")
    _check("filename", request.filename, _LONGEST_NAME, field="file")
    if len(request.fields) > _MOST_FIELDS:
        raise InvalidArgument(f"a form has at most {_MOST_FIELDS} further fields")
    for name, value in request.fields.items():
        if name in _RESERVED:
            raise InvalidArgument(f"{name} has a field of its own", field=name)
        _check("a field's name", name, _LONGEST_PURPOSE)
        _check(name, value, _LONGEST_FIELD)
    content_type = request.content_type or "application/octet-stream"
    if not _MEDIA_TYPE.fullmatch(content_type):
        content_type = "application/octet-stream"
    boundary = f"llmrouter-{secrets.token_hex(16)}"  # which no file can hold, for nobody knows it before
    fields = {"purpose": request.purpose, **request.fields}
    texts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    ]
    disposition = f'form-data; name="file"; filename="{_quoted(request.filename)}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\nContent-Type: {content_type}\r\n\r\n"
    parts = ("".join(texts).encode(), head.encode(), request.content, f"\r\n--{boundary}--\r\n".encode())
    return Body(b"".join(parts), f"multipart/form-data; boundary={boundary}")


def _check(name: str, value: str, longest: int, *, field: str = "") -> None:
    if len(value) > longest or _CONTROL.search(value):
        raise InvalidArgument(
            f"{name} must have at most {longest} characters, and none that controls", field=field or name
        )


def _quoted(name: str) -> str:
    return name.replace('"', "%22")
