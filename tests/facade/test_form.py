"""Forms: both encodings, and that a broken or evil one costs little."""

import pytest

from facade.form import MAX_FORM, is_form, parse_form
from facade.problem import Problem

MULTIPART = "multipart/form-data; boundary=X"
URLENCODED = "application/x-www-form-urlencoded"


def part(value: str, disposition: str = 'form-data; name="a"') -> bytes:
    return f"--X\r\nContent-Disposition: {disposition}\r\n\r\n{value}\r\n".encode()


def body(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--X--\r\n"


@pytest.mark.parametrize(
    ("content_type", "yes"),
    [("multipart/form-data", True), (URLENCODED.upper(), True), ("application/json", False), ("text/plain", False)],
)
def test_what_is_a_form(content_type: str, yes: bool):
    assert is_form(content_type) is yes


@pytest.mark.parametrize(
    ("content_type", "data", "value"),
    [
        (MULTIPART, body(part("one")), "one"),
        (MULTIPART, body(part("first"), part("last")), "last"),
        (MULTIPART, body(part("ü\r\n--Y\r\n")), "ü\r\n--Y\r\n"),
        (MULTIPART, body(part("")), ""),
        (MULTIPART, b"a preamble\r\n" + body(part("one")) + b"an epilogue", "one"),
        (MULTIPART, body(part("x", 'form-data; filename="name=b"; name="a"')), "x"),
        (
            MULTIPART,
            body(b'--X\r\nContent-Type: text/plain\r\ncontent-disposition: form-data; NAME="a"\r\n\r\nx\r\n'),
            "x",
        ),
        ('multipart/form-data; charset=utf-8; boundary="X"', body(part("one")), "one"),
        (f"{URLENCODED}; charset=utf-8", b"a=b+c%21&d=", "b c!"),
        (URLENCODED, b' {"a": "JSON"}', "JSON"),
    ],
)
def test_a_field_is_read(content_type: str, data: bytes, value: str):
    assert parse_form(content_type, data).text("a") == value


@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("multipart/form-data", body(part("x"))),
        ("multipart/form-data; boundary=", body(part("x"))),
        (MULTIPART, b""),
        (MULTIPART, part("x")),  # without its end
        (MULTIPART, body(part("x", "form-data"))),
        (MULTIPART, body(part("x", 'attachment; name="a"'))),
        (MULTIPART, body(b"--X\r\nx\r\n")),
        (MULTIPART, body(part("x").replace(b"x\r\n", b"\xff\r\n"))),
        (MULTIPART, body(*[part("x")] * 101)),
        (URLENCODED, b"\xff"),
        (URLENCODED, b"&".join([b"a=b"] * 101)),
        (MULTIPART, b"--X\r\n" * (MAX_FORM // 5)),
        (MULTIPART, b"--X\r\n" + b"content-disposition: form-data" * 2000 + b"\r\n\r\nx\r\n--X--\r\n"),
    ],
)
def test_what_is_no_form_is_refused(content_type: str, data: bytes):
    with pytest.raises(Problem) as caught:
        parse_form(content_type, data)
    assert caught.value.http_status == 400
