"""Amazon Bedrock: where it is, its Converse wire, and its lists of models.

    https://bedrock-runtime.{region}.amazonaws.com/model/{model}/converse    inference
    https://bedrock.{region}.amazonaws.com/foundation-models                 models that are called by their own id
    https://bedrock.{region}.amazonaws.com/inference-profiles                those of several regions, and one's own

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_ListFoundationModels.html
"""

import re
from typing import Final
from urllib.parse import SplitResult, quote

import msgspec
from yarl import URL

from core.dialects.bedrock.converse import CONVERSE
from core.errors import RefreshFailed
from core.providers.listing import named
from core.providers.wire import ByModel, Wire

_REGION = re.compile(r"(?:^|\.)bedrock(?:-runtime)?(?:-fips)?\.([a-z0-9-]+)\.")
_CONTROL = re.compile(r"^bedrock(-fips)?\.")
_RUNTIME = re.compile(r"^bedrock-runtime(-fips)?\.")
_MODELS = "/foundation-models"
_PROFILES = "/inference-profiles"
_NO_LISTING = "the provider's list of models is not what the Bedrock API describes"


def base_url(parts: SplitResult) -> str:
    """The stored form, without the scheme. Raises ValueError, which repeats nothing of it."""
    if parts.query:
        raise ValueError("the base URL of Amazon Bedrock has no query: https://bedrock-runtime.REGION.amazonaws.com")
    return _CONTROL.sub(r"bedrock-runtime\1.", parts.netloc) + parts.path.rstrip("/")


def address(variable: str) -> str:
    """The base URL as made of an environment variable that names the region."""
    return f"https://bedrock-runtime.{{{variable}}}.amazonaws.com"


def region(host: str) -> str:
    """The region in a host's name, "" where there is none."""
    found = _REGION.search(host)
    return found[1] if found else ""


def models_url(base: str) -> str:
    """Where the models are listed: a server of their own, but at the same where it is not Amazon's."""
    scheme, _, rest = base.partition("://")
    return scheme + "://" + _RUNTIME.sub(r"bedrock\1.", rest) + _MODELS


class _Model(msgspec.Struct, rename="camel"):
    model_id: str = ""
    output_modalities: list[str] | None = None
    inference_types_supported: list[str] | None = None


class _Profile(msgspec.Struct, rename="camel"):
    inference_profile_id: str = ""
    inference_profile_arn: str = ""
    status: str = "ACTIVE"
    type: str = ""


class _Page(msgspec.Struct, rename="camel"):
    model_summaries: list[_Model] | None = None
    inference_profile_summaries: list[_Profile] | None = None
    next_token: str | None = None


_decode = msgspec.json.Decoder(_Page).decode


class BedrockList:
    """All models on one page, and then the profiles on several. Listed is what Converse can be asked for."""

    def first(self, url: URL) -> URL:
        return url.update_query(byOutputModality="TEXT")

    def names(self, body: bytes) -> list[str]:
        page = self._page(body)
        if page.model_summaries is not None:
            return named(model.model_id for model in page.model_summaries if _callable(model))
        return named(
            # One's own profile has no name but its ARN.
            profile.inference_profile_arn if profile.type == "APPLICATION" else profile.inference_profile_id
            for profile in page.inference_profile_summaries or ()
            if profile.status == "ACTIVE"
        )

    def following(self, first: URL, body: bytes) -> URL | None:
        page = self._page(body)
        profiles = f"{first.origin()}{first.raw_path.removesuffix(_MODELS)}{_PROFILES}?maxResults=1000"
        if page.model_summaries is not None:
            return URL(profiles)
        # Signed is what is sent, and AWS wants to see it encoded to the last character.
        return URL(f"{profiles}&nextToken={quote(page.next_token, safe='')}", encoded=True) if page.next_token else None

    def _page(self, body: bytes) -> _Page:
        try:
            page = _decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RefreshFailed(_NO_LISTING) from error
        if page.model_summaries is None and page.inference_profile_summaries is None:
            raise RefreshFailed(_NO_LISTING)
        return page


def _callable(model: _Model) -> bool:
    """Whether it says something, and can be called by its id."""
    says = model.output_modalities is None or "TEXT" in model.output_modalities
    return says and (model.inference_types_supported is None or "ON_DEMAND" in model.inference_types_supported)


BEDROCK: Final = Wire(
    paths={CONVERSE: ByModel("/model/{model}/converse", "/model/{model}/converse-stream")},
    key_header="Authorization",
    key_prefix="Bearer ",
    listing=BedrockList(),
)
