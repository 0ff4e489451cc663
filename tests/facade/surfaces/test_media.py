"""OpenAI's official client on its endpoints that are no conversations, with a provider behind the whole service."""

import base64
import json
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import aiohttp
import httpx
import openai
import pytest

from llmrouter.v1 import router_pb2 as pb
from tests.core.rpc.test_relay import connect
from tests.support.database import on_sqlite
from tests.support.openai_upstream import MODEL, Gate, OpenAIUpstream, Received, Wire, error, sse, whole
from tests.support.router import Router, RouterFactory

pytestmark = on_sqlite

PICTURE, WHISPER, TRANSCRIBE, SPEECH, MODERATION = (
    "gpt-image-1",
    "whisper-1",
    "gpt-4o-transcribe",
    "tts-1",
    "omni-moderation-latest",
)
MOUNTS = ("/v1", "/api/v1", "/proxy/openai/v1")
WAV = b"RIFF\x00\xff\r\n--not-a-boundary\r\nWAVE" * 999
USAGE = {
    "input_tokens": 50,
    "output_tokens": 4160,
    "total_tokens": 4210,
    "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
}


def said(body: dict[str, Any]) -> Any:
    return whole(json.dumps(body).encode())


def form_of(**fields: str) -> aiohttp.FormData:
    """A form with a recording and these fields."""
    form = aiohttp.FormData(fields)
    form.add_field("file", BytesIO(WAV), filename="a.wav")
    return form


def event(**fields: Any) -> bytes:
    return f"event: {fields['type']}\ndata: {json.dumps(fields)}\n\n".encode()


@pytest.fixture
async def router(openai_upstream: OpenAIUpstream, router_factory: RouterFactory) -> AsyncIterator[Router]:
    openai_upstream.models += [PICTURE, WHISPER, TRANSCRIBE, SPEECH, MODERATION]
    async with router_factory() as router:
        yield router


@pytest.fixture
async def client(router: Router) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{router.site.url}/v1", api_key=router.key, max_retries=0, timeout=20
    ) as client:
        yield client


async def test_pictures_are_made_and_paid_by_their_tokens(router: Router, client: openai.AsyncOpenAI):
    router.upstream.script(said({"created": 1, "data": [{"b64_json": "QUJD"}], "usage": USAGE}))
    answer = await client.images.generate(model=f"upstream/{PICTURE}", prompt="a cat", n=1, extra_body={"new": 1.0})
    assert answer.data is not None
    assert answer.data[0].b64_json == "QUJD"
    request = await router.upstream.received()
    assert (request.path, request.json["model"]) == ("/v1/images/generations", PICTURE)
    assert b"1.0" in request.body
    record = await router.record()
    assert (record.operation, record.model, record.outcome) == ("image_generation", PICTURE, "answered")
    assert (record.input_tokens, record.output_tokens, record.token_source) == (50, 4160, "provider")
    assert record.cost_nanousd == 10 * 5_000 + 40 * 10_000 + 4160 * 40_000


async def test_a_picture_comes_bit_by_bit(router: Router, client: openai.AsyncOpenAI):
    partial = event(type="image_generation.partial_image", b64_json="A" * 200_000, partial_image_index=0)
    done = event(type="image_generation.completed", b64_json="B" * 200_000, usage=USAGE)
    router.upstream.script(sse([partial, done[:150_000], done[150_000:]]))
    chunks = await client.images.generate(model=PICTURE, prompt="a cat", stream=True, partial_images=1)
    kinds = [(chunk.type, len(chunk.b64_json)) async for chunk in chunks]
    assert kinds == [("image_generation.partial_image", 200_000), ("image_generation.completed", 200_000)]
    record = await router.record()
    assert (record.outcome, record.streamed, record.output_tokens) == ("answered", True, 4160)


async def test_a_picture_is_changed(router: Router, client: openai.AsyncOpenAI):
    router.upstream.script(said({"created": 1, "data": [{"b64_json": "QUJD"}], "usage": USAGE}))
    await client.images.edit(model=PICTURE, prompt="with a hat", image=("cat.png", b"\x89PNG", "image/png"))
    request = await router.upstream.received()
    assert request.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b"\x89PNG" in request.body
    assert (await router.record()).operation == "image_edit"


async def test_a_recording_is_transcribed_and_paid_by_its_length(router: Router, client: openai.AsyncOpenAI):
    router.upstream.script(said({"text": "Hello", "usage": {"type": "duration", "seconds": 90}}))
    answer = await client.audio.transcriptions.create(model=f"upstream/{WHISPER}", file=("a.wav", WAV))
    assert answer.text == "Hello"
    request = await router.upstream.received()
    assert request.path == "/v1/audio/transcriptions"
    assert WAV in request.body
    assert b"upstream/" not in request.body
    assert int(request.headers["content-length"]) == len(request.body)
    record = await router.record()
    assert (record.operation, record.requested_model, record.model) == ("transcription", f"upstream/{WHISPER}", WHISPER)
    assert record.cost_nanousd == 9_000_000  # $0.36 an hour


@pytest.mark.parametrize(
    ("kind", "said_", "media"), [("text", b"Hello\n", "text/plain"), ("vtt", b"WEBVTT\n", "text/vtt")]
)
async def test_a_transcript_that_is_no_json_has_its_type_and_no_known_cost(
    router: Router, kind: str, said_: bytes, media: str
):
    router.upstream.script(whole(said_, content_type=f"{media}; charset=utf-8"))
    async with router.post("/v1/audio/transcriptions", form_of(model=WHISPER, response_format=kind)) as answer:
        assert answer.headers["content-type"] == f"{media}; charset=utf-8"
        assert await answer.read() == said_
    record = await router.record()
    assert (record.outcome, record.cost_nanousd, record.token_source) == ("answered", None, "")


async def test_a_transcript_comes_bit_by_bit(router: Router, client: openai.AsyncOpenAI):
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": 45, "input_token_details": {"audio_tokens": 14}}
    gate = Gate(passes=1)
    done = event(type="transcript.text.done", text="Hello", usage=usage)
    router.upstream.script(sse([event(type="transcript.text.delta", delta="Hel"), done], gate=gate))
    chunks = await client.audio.transcriptions.create(model=TRANSCRIBE, file=("a.wav", WAV), stream=True)
    kinds: list[str] = []
    async for chunk in chunks:
        kinds.append(chunk.type)
        gate.open()  # the second is sent only after the first has come
    assert kinds == ["transcript.text.delta", "transcript.text.done"]
    record = await router.record()
    assert (record.input_tokens, record.audio_input_tokens, record.output_tokens) == (14, 14, 45)
    assert record.cost_nanousd == 14 * 6_000 + 45 * 10_000


async def test_a_recording_is_translated(router: Router):
    router.upstream.script(said({"text": "Hello", "duration": "2.5"}))
    async with router.post("/v1/audio/translations", form_of(model=WHISPER)) as answer:
        assert await answer.json() == {"text": "Hello", "duration": "2.5"}
    assert (await router.upstream.received()).path == "/v1/audio/translations"
    record = await router.record()
    assert (record.operation, record.cost_nanousd) == ("translation", 250_000)


async def test_a_speech_comes_as_it_is_spoken_and_is_paid_by_its_characters(router: Router, client: openai.AsyncOpenAI):
    gate = Gate(passes=1)
    router.upstream.script(sse([b"\xff\xfb" * 500, b"\x00" * 500], gate=gate, content_type="audio/mpeg"))
    sound = b""
    async with client.audio.speech.with_streaming_response.create(
        model=SPEECH, voice="alloy", input="für dich"
    ) as answer:
        assert answer.headers["content-type"] == "audio/mpeg"
        async for piece in answer.iter_bytes():
            sound += piece
            gate.open()
    assert sound == b"\xff\xfb" * 500 + b"\x00" * 500
    record = await router.record()
    assert (record.operation, record.outcome, record.status_code) == ("speech", "answered", 200)
    assert (record.token_source, record.cost_nanousd) == ("counted", 8 * 15_000)


async def test_a_speech_that_breaks_off_is_not_taken_for_all_of_it(router: Router, client: openai.AsyncOpenAI):
    router.upstream.script(sse([b"\xff\xfb" * 500], content_type="audio/mpeg", cut=True))
    with pytest.raises((openai.APIConnectionError, httpx.RemoteProtocolError, httpx.ReadError)):
        await client.audio.speech.create(model=SPEECH, voice="alloy", input="Hi")
    record = await router.record()
    assert (record.outcome, record.error_reason) == ("failed", "STREAM_INTERRUPTED")


async def test_a_speech_as_events(router: Router, client: openai.AsyncOpenAI):
    usage = {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}
    audio = base64.b64encode(b"sound").decode()
    stream = event(type="speech.audio.delta", audio=audio) + event(type="speech.audio.done", usage=usage)
    router.upstream.script(sse([stream]))
    answer = await client.audio.speech.create(model=MODEL, voice="alloy", input="Hi", stream_format="sse")
    assert answer.content == stream
    record = await router.record()
    assert (record.input_tokens, record.output_tokens, record.audio_output_tokens) == (14, 101, 101)


async def test_a_moderation_needs_no_model_and_costs_nothing(router: Router, client: openai.AsyncOpenAI):
    router.upstream.script(said({"id": "modr-1", "model": MODERATION, "results": [{"flagged": False}]}))
    answer = await client.moderations.create(input="Hello there")
    assert answer.results[0].flagged is False
    record = await router.record()
    assert (record.operation, record.requested_model, record.cost_nanousd) == ("moderation", MODERATION, 0)
    assert record.token_source == "counted"


@pytest.mark.parametrize("mount", MOUNTS)
async def test_every_mount_has_them(router: Router, client: openai.AsyncOpenAI, mount: str):
    router.upstream.always(said({"results": []}))
    there = client.with_options(base_url=f"{router.site.url}{mount}")
    await there.moderations.create(model=MODERATION, input="x")
    async with router.post(f"{mount}/audio/transcriptions", form_of(model=WHISPER)) as answer:
        assert answer.status == 200


async def test_the_providers_errors_are_its_own(router: Router, client: openai.AsyncOpenAI):
    router.upstream.script(error(400, "the prompt is not allowed"))
    with pytest.raises(openai.BadRequestError, match="the prompt is not allowed"):
        await client.images.generate(model=PICTURE, prompt="?")
    router.upstream.script(error(429))
    router.upstream.always(error(429, retry_after="100"))
    with pytest.raises(openai.RateLimitError):
        await client.audio.transcriptions.create(model=WHISPER, file=("a.wav", WAV))


async def test_a_model_whose_provider_has_no_such_endpoint_is_refused(router: Router, client: openai.AsyncOpenAI):
    with pytest.raises(openai.BadRequestError, match="OpenAI API for images") as refused:
        await client.images.generate(model="echo", prompt="a cat")
    assert refused.value.param == "model"
    status, body = await router.answer("/v1/rerank", {"model": MODEL, "query": "q", "documents": ["d"]})
    assert (status, json.loads(body)["error"]["param"]) == (400, "model")
    assert b"rerank API" in body
    assert router.upstream.requests == []
    assert [record.status_code for record in await router.records(2)] == [400, 400]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n--x--"),
        ("multipart/form-data; boundary=x", b"no form"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm'),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nm\r\n--x--'),
        ("application/x-www-form-urlencoded", b"model=whisper-1"),
        ("application/json", b"{"),
        ("audio/wav", WAV),
    ],
)
async def test_what_is_no_form_is_refused_and_recorded(router: Router, content_type: str, body: bytes):
    async with router.post("/v1/audio/transcriptions", body, headers={"Content-Type": content_type}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["type"] == "invalid_request_error"
    assert router.upstream.requests == []
    assert (await router.record()).status_code == 400


async def test_a_model_that_a_form_does_not_name_is_missed(router: Router):
    async with router.post("/v1/audio/transcriptions", form_of(language="de")) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == "model"


async def test_a_body_of_json_says_that_it_is_json(router: Router):
    router.upstream.script(said({"text": "t"}))
    async with router.post(
        "/v1/audio/transcriptions", {"model": WHISPER, "url": "u"}, headers={"Content-Type": "text/plain"}
    ) as answer:
        assert answer.status == 200
    assert (await router.upstream.received()).headers["content-type"] == "application/json"


async def test_a_body_larger_than_the_limit_is_refused(router: Router):
    limit = router.site.facade.settings.max_body
    form = form_of(model=WHISPER)
    form.add_field("mask", BytesIO(b"x" * limit), filename="b.wav")
    async with router.post("/v1/audio/transcriptions", form) as answer:
        assert answer.status == 413


async def test_who_hangs_up_while_it_is_spoken_ends_the_providers_work(router: Router, client: openai.AsyncOpenAI):
    gate = Gate(passes=1)
    router.upstream.script(sse([b"\xff\xfb" * 500, b"more"], gate=gate, content_type="audio/mpeg"))
    async with client.audio.speech.with_streaming_response.create(model=SPEECH, voice="alloy", input="Hi") as answer:
        async for _ in answer.iter_bytes():
            break
    request = await router.upstream.received()
    await request.hung_up.wait()
    record = await router.record()
    assert (record.status_code, record.outcome, record.cost_nanousd) == (499, "hung_up", 2 * 15_000)


async def test_an_answer_of_nothing_is_a_failure(router: Router, client: openai.AsyncOpenAI):
    async def nothing(request: Received, wire: Wire) -> None:
        await wire.head(200, [("Content-Type", "audio/mpeg"), ("Content-Length", "0")])

    router.upstream.always(nothing)
    with pytest.raises(openai.InternalServerError):
        await client.audio.speech.create(model=SPEECH, voice="alloy", input="Hi")


async def test_a_grpc_client_sends_a_form_too(router: Router):
    router.upstream.script(said({"text": "Hello"}))
    body = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--x--\r\n'
    header = pb.Header(name="Content-Type", value="multipart/form-data; boundary=x")
    opened = pb.CallOpen(operation=pb.OPERATION_TRANSCRIPTION, body=body, headers=[header])
    async with connect(router.inference) as client:
        await client.send(pb.CallerFrame(call_id=1, open=opened))
        assert json.loads((await client.last(1)).answer.head.data) == {"text": "Hello"}
    request = await router.upstream.received()
    assert (request.headers["content-type"], request.body) == (header.value, body)
