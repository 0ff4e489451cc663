"""A provider that keeps files and carries out batches, as OpenAI does: by the test's word."""

import json
from typing import Any

from tests.support.openai_upstream import Answer, OpenAIUpstream, Received, error, whole

USAGE = {
    "input_tokens": 1000,
    "input_tokens_details": {"cached_tokens": 200},
    "output_tokens": 500,
    "output_tokens_details": {"reasoning_tokens": 100},
    "total_tokens": 1500,
}


class ObjectsUpstream(OpenAIUpstream):
    """Make it with `listening`."""

    def __init__(self) -> None:
        super().__init__()
        self.files: dict[str, dict[str, Any]] = {}
        self.contents: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.looks: list[str] = []  # what was asked for, in order
        self.deleted: list[str] = []
        self.next_name = ""  # of a file; "" for a new one

    def listed(self, request: Received) -> Answer:
        parts = request.path.split("/")[2:]
        if parts[0] not in ("files", "batches"):
            return super().listed(request)
        self.looks.append(request.path)
        if parts[0] == "batches":
            return _said(self.batches.get(parts[1]))
        if parts[2:] == ["content"]:
            content = self.contents.get(parts[1])
            return whole(content, content_type="application/jsonl") if content is not None else _said(None)
        return _said(self.files.get(parts[1]))

    def properly(self, request: Received) -> Answer:
        parts = request.path.split("/")[2:]
        if request.method == "DELETE":
            gone = self.files.pop(parts[1], None)
            self.deleted.append(parts[1])
            return _said(gone and {"id": parts[1], "object": "file", "deleted": True})
        if parts == ["files"]:
            return _said(self.keep(self.next_name or self._new_name(), _content(request)))
        if parts == ["batches"]:
            return _said(self.begin(request.json))
        if parts[0] == "batches":
            self.batches[parts[1]]["status"] = "cancelling"
            return _said(self.batches[parts[1]])
        return super().properly(request)

    def _new_name(self) -> str:
        return f"file-{len(self.files) + len(self.deleted) + 1}"

    def keep(self, name: str, content: bytes, purpose: str = "batch") -> dict[str, Any]:
        """Keeps a file."""
        file = {"id": name, "object": "file", "bytes": len(content), "created_at": 1_700_000_000}
        self.files[name] = {**file, "filename": "requests.jsonl", "purpose": purpose, "status": "processed"}
        self.contents[name] = content
        return self.files[name]

    def begin(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Accepts a batch."""
        name = f"batch_{len(self.batches) + 1}"
        batch = {"id": name, "object": "batch", "status": "validating", "created_at": 1_700_000_000}
        self.batches[name] = {**asked, **batch, "output_file_id": None, "error_file_id": None}
        return self.batches[name]

    def finish(self, name: str, status: str = "completed", **fields: Any) -> None:
        """Ends a batch; with its output, where it was completed."""
        if status == "completed":
            self.keep(f"out-{name}", b'{"custom_id":"1"}\n', "batch_output")
            fields = {"output_file_id": f"out-{name}", "usage": USAGE, "model": "gpt-test", **fields}
        self.batches[name] |= {"status": status, **fields}


def _said(body: dict[str, Any] | None) -> Answer:
    return whole(json.dumps(body).encode()) if body is not None else error(404, "no such object")


def _content(request: Received) -> bytes:
    """What is in the form's file."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    part = next(part for part in request.body.split(b"--" + boundary) if b'filename="' in part)
    return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
