"""Forms with a file in them, as uploads have it."""

import pytest

from facade.problem import Problem
from facade.upload import parse_upload

TYPE = 'multipart/form-data; boundary="b-1"'


def part(head: str, content: bytes) -> bytes:
    return b"--b-1\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n"


def disposition(name: str, filename: str = "") -> str:
    return f'Content-Disposition: form-data; name="{name}"' + (f'; filename="{filename}"' if filename else "")


FILE = part(disposition("file", "a.jsonl") + "\r\nContent-Type: application/jsonl", b"--b-\r\n\x00\xff\r\n")
PURPOSE = part(disposition("purpose"), b"batch")
END = b"--b-1--\r\n"


def test_a_file_and_its_fields_are_read_to_the_byte():
    upload = parse_upload(TYPE, PURPOSE + FILE + part(disposition("expires_after[anchor]"), "später".encode()) + END)
    assert (upload.filename, upload.content_type) == ("a.jsonl", "application/jsonl")
    assert upload.content == b"--b-\r\n\x00\xff\r\n"
    assert upload.fields == {"purpose": "batch", "expires_after[anchor]": "später"}


@pytest.mark.parametrize("name", ['with \\"quotes\\"', "with %22quotes%22"])
def test_quotes_in_a_name_are_read_as_browsers_and_others_write_them(name: str):
    assert parse_upload(TYPE, part(disposition("file", name), b"") + END).filename == 'with "quotes"'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", FILE + END),
        ("multipart/form-data", FILE + END),
        (TYPE, b""),
        (TYPE, FILE),
        (TYPE, FILE + FILE + END),
        (TYPE, PURPOSE + PURPOSE + END),
        (TYPE, b"before" + FILE + END),
        (TYPE, FILE + END + b"after"),
        (TYPE, part(disposition("other", "a"), b"") + END),
        (TYPE, part("Content-Type: text/plain", b"") + END),
        (TYPE, part('Content-Disposition: form-data; name="a"; name="b"', b"") + END),
        (TYPE, part(disposition("purpose"), b"\xff") + END),
        (TYPE, part(disposition("purpose"), b"a" * 17_000) + END),
        (TYPE, b"--b-1\r\n" + b"a" * 9000 + b"\r\n\r\n\r\n" + END),
        (TYPE, b"".join(part(disposition(f"f{number}"), b"") for number in range(40)) + END),
    ],
)
def test_what_is_no_such_form_is_refused(content_type: str, body: bytes):
    with pytest.raises(Problem) as refused:
        parse_upload(content_type, body)
    assert refused.value.reason == "INVALID_ARGUMENT"
