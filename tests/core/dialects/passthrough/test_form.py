"""Forms with files, read where they lie."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dialects.passthrough.form import fields_of_form, is_form
from core.errors import InvalidArgument

TYPE = "multipart/form-data; boundary=xx"
NAMED = b'Content-Disposition: form-data; name="%b"'


def part(name: bytes, content: bytes, *more: bytes) -> bytes:
    return b"--xx\r\n" + b"\r\n".join([NAMED % name, *more]) + b"\r\n\r\n" + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    return b"".join(parts) + b"--xx--\r\n"


def contents(body: bytes, content_type: str = TYPE) -> dict[str, bytes]:
    return {field.name: body[field.start : field.end] for field in fields_of_form(body, content_type)}


def test_each_part_is_found_where_it_lies():
    file = b'--xx\r\n%b; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\nRI\r\n-xx\r\nFF\r\n' % (NAMED % b"file")
    body = form(part(b"model", b"whisper-1"), file, part(b"timestamp_granularities[]", b"word"), part(b"prompt", b""))
    fields = fields_of_form(body, TYPE)
    assert [(field.name, body[field.start : field.end], field.is_file) for field in fields] == [
        ("model", b"whisper-1", False),
        ("file", b"RI\r\n-xx\r\nFF", True),
        ("timestamp_granularities[]", b"word", False),
        ("prompt", b"", False),
    ]


@pytest.mark.parametrize(
    "content_type",
    [
        'multipart/form-data; boundary="xx"',
        "Multipart/Form-Data;boundary=xx",
        "multipart/form-data; a=b; boundary=xx; c",
    ],
)
def test_the_boundary_is_understood_however_it_is_written(content_type: str):
    assert is_form(content_type)
    assert contents(form(part(b"model", b"m")), content_type) == {"model": b"m"}


@pytest.mark.parametrize(
    "content_type",
    [
        "multipart/form-data",
        "multipart/form-data; boundary=",
        'multipart/form-data; boundary="x',
        "multipart/form-data; boundary=xx; boundary=yy",
        "multipart/form-data; boundary=xx; boundary*=utf-8''yy",
        "multipart/form-data; boundary*0=x; boundary=xx",
        "multipart/form-data; boundary=" + "x" * 71,
    ],
)
def test_a_boundary_that_readers_could_differ_about_is_refused(content_type: str):
    with pytest.raises(InvalidArgument, match="boundary"):
        fields_of_form(form(part(b"model", b"m")), content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"preamble\r\n" + form(part(b"model", b"m")),
        b'{"model": "m"}',
        part(b"model", b"m"),  # no end
        part(b"model", b"m")[:-3],
        b"--xx\r\n" + NAMED % b"model" + b"\r\n",
        b"--xx\n" + NAMED % b"model" + b"\n\nm\n--xx--\n",
        form(part(b"model", b"m\r\n--xxy")),  # a boundary, or not: who knows
        form(part(b"model", b"m")) + b"--xx\r\n",
        form(b"--xx\r\n\r\nno head\r\n"),
        form(part(b"model", b"bQ==", b"Content-Transfer-Encoding: base64")),
        form(part(b"model", b"m", NAMED % b"other")),
        form(b'--xx\r\nContent-Disposition: form-data; name="a"; name="model"\r\n\r\nm\r\n'),
        form(b'--xx\r\nContent-Disposition: form-data; name="mo\\del"\r\n\r\nm\r\n'),
        form(b'--xx\r\nContent-Disposition: form-data;\r\n name="model"\r\n\r\nm\r\n'),
        form(b"--xx\r\nContent-Type: text/plain\r\n\r\nm\r\n"),
        form(*[part(b"a", b"b")] * 257),
        form(part(b"model", b"m", b"X: " + b"x" * 9000)),
    ],
)
def test_what_readers_could_differ_about_is_refused(body: bytes):
    with pytest.raises(InvalidArgument, match="invalid payload"):
        fields_of_form(body, TYPE)


@given(st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(noise: bytes):
    for body in (noise, b"--xx" + noise, form(part(b"file", noise)), b"--xx\r\n" + noise + b"\r\n--xx--"):
        with suppress(InvalidArgument):
            fields = fields_of_form(body, TYPE)
            assert all(0 < field.start <= field.end < len(body) for field in fields)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,9}", fullmatch=True), st.binary(max_size=99), max_size=9))
def test_what_is_put_into_a_form_comes_out(given_: dict[str, bytes]):
    contents_ = {name: content.replace(b"--xx", b"") for name, content in given_.items()}
    assert (
        contents(form(*[part(name.encode(), content) for name, content in contents_.items()])) == contents_
        or not given_
    )
