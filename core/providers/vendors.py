"""The vendors, each with the wires that it speaks: a new vendor is a row.

A row says what is particular about one vendor: where its API is, which environment variables declare
it, whether its streams report usage, and which endpoints it has of the wires it speaks. Code
that calls a provider reads the row and has no branch on a vendor's name.

To add a vendor:

1. Write a row in `VENDORS`, in the group it belongs to. `type` is for ever: it is stored and shown.
2. Fill it from the vendor's own documentation, and put that page into `docs`.
3. Claim only what the page says. A capability left out costs a feature; one claimed wrongly costs a
   failed call. The same goes for `stream_usage`: where nobody says that `stream_options` is accepted,
   `NEVER` works everywhere, at the price of counting tokens ourselves.
4. `prices_id` is the id of the vendor in the package genai-prices, where it has one.

Some well-known names are missing on purpose, for their API is gone: GitHub Models (July 2026), AI21's
Jamba API (August 2026), Meta's Llama API (July 2026; `meta` is its successor) and Lambda's inference API
(September 2025).

`declared.py` has what is done with rows: reading the environment, and making base URLs uniform.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from urllib.parse import SplitResult

from core.clock import Clock
from core.dialects.openai.chat import CHAT, COMPLETION, EMBEDDING
from core.dialects.passthrough import endpoints
from core.dialects.responses.request import RESPONSES
from core.providers import azure, bedrock, gemini, vertex
from core.providers.aws_credential import AwsCredential
from core.providers.azure import AZURE
from core.providers.bedrock import BEDROCK
from core.providers.credential import Credential
from core.providers.google_credential import GoogleCredential
from core.providers.ollama import OLLAMA
from core.providers.upstream import Target
from core.providers.vertex import ANTHROPIC_AT_VERTEX, GEMINI_AT_VERTEX
from core.providers.wire import ANTHROPIC, ANTHROPIC_BY_BEARER, GEMINI, OPENAI, Wire


class StreamUsage(Enum):
    """How a stream comes to report its usage."""

    ASK = "ask"  # send stream_options.include_usage
    ALWAYS = "always"  # it reports unasked; stream_options is refused or useless, so don't send it
    NEVER = "never"  # don't send stream_options and don't count on a report; take it if it comes


class Capability(Enum):
    """An endpoint of the OpenAI wire, and the list of models; what the other wires have comes with the wire."""

    CHAT = "chat"  # POST /chat/completions
    COMPLETIONS = "completions"  # POST /completions
    EMBEDDINGS = "embeddings"  # POST /embeddings
    RESPONSES = "responses"  # POST /responses
    IMAGES = "images"  # POST /images/generations
    IMAGE_EDITS = "image_edits"  # POST /images/edits
    SPEECH = "speech"  # POST /audio/speech
    TRANSCRIPTIONS = "transcriptions"  # POST /audio/transcriptions
    TRANSLATIONS = "translations"  # POST /audio/translations
    MODERATIONS = "moderations"  # POST /moderations
    RERANK = "rerank"  # POST /rerank, which is Cohere's and Jina's
    FILES = "files"  # /files: upload, list, look at, delete and read; uploads are forms with `file` and `purpose`
    BATCHES = "batches"  # /batches: create of an uploaded file, list, look at and cancel
    MODELS = "models"  # GET `Vendor.models_path`


@dataclass(frozen=True, slots=True, kw_only=True)
class Vendor:
    """What is particular about one vendor."""

    type: str  # the provider's `type` in the API, lower case
    title: str  # how people write it
    base_url: str  # with the version part and no slash at the end; "" where only the user knows it
    base_url_env: str
    key_env: tuple[str, ...] = ()  # the vendor's own convention first, then others in use
    needs_key: bool = True
    stream_usage: StreamUsage
    prices_id: str | None = None
    docs: str  # the page that documents the OpenAI-compatible API
    capabilities: frozenset[Capability]
    models_path: str = "/models"
    default_headers: tuple[tuple[str, str], ...] = ()  # static ones that the vendor insists on
    local: bool = False  # run by the user: no account, and prices of its own
    aliases: tuple[str, ...] = ()  # other spellings of `type`
    output_field: str = "max_tokens"  # how a chat says how many tokens its answer may have
    wires: tuple[Wire, ...] = (OPENAI,)  # that it speaks, its own first: that one has its list of models too
    wires_by_url: Callable[[str], tuple[Wire, ...]] | None = None  # where they depend on the base URL
    tidy: Callable[[SplitResult], str] | None = None  # the stored form of a base URL, without the scheme; ValueError
    url_from: tuple[str, ...] = ()  # base URLs made of variables; the first counts that has all of its own
    url_from_needs_key: bool = False  # they count beside a key alone, for much else sets those variables too
    models_url: Callable[[str], str] | None = None  # base URL → the list of models, where it is not below that
    credential: Callable[[Target, Mapping[str, str], Clock], Credential] | None = None  # in place of a key's header

    def wires_at(self, base_url: str) -> tuple[Wire, ...]:
        """The wires at a base URL in its stored form."""
        return self.wires_by_url(base_url) if self.wires_by_url else self.wires

    def has(self, operation: str) -> bool:
        """Whether it has the endpoint of an operation on a wire that it speaks."""
        needed = NEEDED.get(operation)
        return needed is None or needed in self.capabilities


NEEDED: Mapping[str, Capability] = {
    CHAT: Capability.CHAT,
    COMPLETION: Capability.COMPLETIONS,
    EMBEDDING: Capability.EMBEDDINGS,
    RESPONSES: Capability.RESPONSES,
    endpoints.IMAGE: Capability.IMAGES,
    endpoints.IMAGE_EDIT: Capability.IMAGE_EDITS,
    endpoints.SPEECH: Capability.SPEECH,
    endpoints.TRANSCRIPTION: Capability.TRANSCRIPTIONS,
    endpoints.TRANSLATION: Capability.TRANSLATIONS,
    endpoints.MODERATION: Capability.MODERATIONS,
    endpoints.RERANK: Capability.RERANK,
}
"""Operation → the capability that a vendor must claim for it; others come with their wire."""

_LIST = frozenset({Capability.MODELS})
_CHAT = frozenset({Capability.CHAT})
_CHAT_EMBEDDINGS = _CHAT | {Capability.EMBEDDINGS}
_CHAT_MODELS = _CHAT | {Capability.MODELS}
_NO_COMPLETIONS = _CHAT_MODELS | {Capability.EMBEDDINGS}
_NO_EMBEDDINGS = _CHAT_MODELS | {Capability.COMPLETIONS}
_ALL = _NO_COMPLETIONS | _NO_EMBEDDINGS
_RESPONSES = frozenset({Capability.RESPONSES})
_LISTENING = frozenset({Capability.TRANSCRIPTIONS, Capability.TRANSLATIONS})
_SOUND = _LISTENING | {Capability.SPEECH}
_PICTURES = frozenset({Capability.IMAGES, Capability.IMAGE_EDITS})
_RERANK = frozenset({Capability.RERANK})
_OTHERS = _SOUND | _PICTURES | {Capability.MODERATIONS}
_OBJECTS = frozenset({Capability.FILES, Capability.BATCHES})

VENDORS: tuple[Vendor, ...] = (
    # ── Makers of models ──────────────────────────────────────────────────────────────────────────
    Vendor(
        type="openai",
        title="OpenAI",
        base_url="https://api.openai.com/v1",
        base_url_env="OPENAI_BASE_URL",
        key_env=("OPENAI_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="openai",
        docs="https://platform.openai.com/docs/api-reference/chat",
        capabilities=_ALL | _RESPONSES | _OTHERS | _OBJECTS,
        output_field="max_completion_tokens",  # the other is refused with its reasoning models
    ),
    Vendor(
        # Its OpenAI-compatible layer leaves out without a word what it does not know, so it is not used.
        type="anthropic",
        title="Anthropic",
        base_url="https://api.anthropic.com/v1",
        base_url_env="ANTHROPIC_BASE_URL",
        key_env=("ANTHROPIC_API_KEY",),
        stream_usage=StreamUsage.ALWAYS,
        prices_id="anthropic",
        docs="https://platform.claude.com/docs/en/api/messages",
        capabilities=_LIST,
        aliases=("claude",),
        wires=(ANTHROPIC,),
    ),
    Vendor(
        # Nor is its OpenAI-compatible layer, which knows nothing of what proves a thought.
        type="gemini",
        title="Google Gemini",
        base_url="https://generativelanguage.googleapis.com/v1beta",
        base_url_env="GEMINI_BASE_URL",
        key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        stream_usage=StreamUsage.ALWAYS,
        prices_id="google",
        docs="https://ai.google.dev/api",
        capabilities=_LIST,
        aliases=("google", "google-gemini"),
        wires=(GEMINI,),
        tidy=gemini.base_url,
    ),
    Vendor(
        # Refuses stream_options.include_usage with 422; the last chunk has the usage anyway.
        type="mistral",
        title="Mistral AI",
        base_url="https://api.mistral.ai/v1",
        base_url_env="MISTRAL_BASE_URL",
        key_env=("MISTRAL_API_KEY",),
        stream_usage=StreamUsage.ALWAYS,
        prices_id="mistral",
        docs="https://docs.mistral.ai/api/",
        capabilities=_NO_COMPLETIONS | {Capability.TRANSCRIPTIONS, Capability.MODERATIONS},
        aliases=("mistralai",),
    ),
    Vendor(
        # No version in its URL. Its /completions is of the beta API, which has another base URL.
        type="deepseek",
        title="DeepSeek",
        base_url="https://api.deepseek.com",
        base_url_env="DEEPSEEK_BASE_URL",
        key_env=("DEEPSEEK_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="deepseek",
        docs="https://api-docs.deepseek.com/",
        capabilities=_CHAT_MODELS,
    ),
    Vendor(
        type="xai",
        title="xAI",
        base_url="https://api.x.ai/v1",
        base_url_env="XAI_BASE_URL",
        key_env=("XAI_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="x-ai",
        docs="https://docs.x.ai/developers/rest-api-reference/inference",
        capabilities=_CHAT_MODELS | _RESPONSES | {Capability.IMAGES},
        aliases=("x-ai", "grok"),
    ),
    Vendor(
        # Cohere says that stream_options is supported, makers of clients that it is refused.
        type="cohere",
        title="Cohere",
        base_url="https://api.cohere.ai/compatibility/v1",
        base_url_env="COHERE_BASE_URL",
        key_env=("COHERE_API_KEY", "CO_API_KEY"),
        stream_usage=StreamUsage.NEVER,
        prices_id="cohere",
        docs="https://docs.cohere.com/docs/compatibility-api",
        capabilities=_CHAT_EMBEDDINGS,
    ),
    Vendor(
        # Its own examples read MODEL_API_KEY, a name that anything may use.
        type="meta",
        title="Meta",
        base_url="https://api.meta.ai/v1",
        base_url_env="META_BASE_URL",
        key_env=("META_MODEL_API_KEY",),
        stream_usage=StreamUsage.NEVER,
        prices_id="meta",
        docs="https://dev.meta.ai/docs/protocols/chat-completions",
        capabilities=_CHAT,
    ),
    Vendor(
        # Its chat completions ended in September 2026; what is left is the Responses API.
        type="perplexity",
        title="Perplexity",
        base_url="https://api.perplexity.ai/v1",
        base_url_env="PERPLEXITY_BASE_URL",
        key_env=("PERPLEXITY_API_KEY", "PPLX_API_KEY"),
        stream_usage=StreamUsage.ALWAYS,
        prices_id="perplexity",
        docs="https://docs.perplexity.ai/docs/grounded-llm/openai-compatibility",
        capabilities=_RESPONSES,
    ),
    Vendor(
        # Mainland China has a platform of its own, with keys of its own, at https://api.moonshot.cn/v1.
        type="moonshot",
        title="Moonshot AI",
        base_url="https://api.moonshot.ai/v1",
        base_url_env="MOONSHOT_BASE_URL",
        key_env=("MOONSHOT_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="moonshotai",
        docs="https://platform.moonshot.ai/docs/api/chat",
        capabilities=_CHAT_MODELS,
        aliases=("moonshotai", "moonshot-ai", "kimi"),
    ),
    Vendor(
        type="zai",
        title="Z.ai",
        base_url="https://api.z.ai/api/paas/v4",
        base_url_env="ZAI_BASE_URL",
        key_env=("ZAI_API_KEY", "Z_AI_API_KEY"),
        stream_usage=StreamUsage.ASK,
        prices_id="zai",
        docs="https://docs.z.ai/guides/develop/openai/python",
        capabilities=_CHAT,
        aliases=("z-ai", "z.ai"),
    ),
    Vendor(
        type="zhipu",
        title="Zhipu AI",
        base_url="https://open.bigmodel.cn/api/paas/v4",
        base_url_env="ZHIPUAI_BASE_URL",
        key_env=("ZHIPUAI_API_KEY", "ZHIPU_API_KEY"),
        stream_usage=StreamUsage.ASK,
        prices_id="zhipuai",
        docs="https://docs.bigmodel.cn/cn/guide/develop/openai/introduction",
        capabilities=_CHAT,
        aliases=("zhipuai", "bigmodel", "glm"),
    ),
    Vendor(
        # Singapore. Mainland China is at https://dashscope.aliyuncs.com/compatible-mode/v1; workspaces
        # also have domains of their own.
        type="dashscope",
        title="Alibaba Cloud Model Studio",
        base_url="https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        base_url_env="DASHSCOPE_BASE_URL",
        key_env=("DASHSCOPE_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
        capabilities=_CHAT_EMBEDDINGS,
        aliases=("qwen", "alibaba"),
    ),
    Vendor(
        type="minimax",
        title="MiniMax",
        base_url="https://api.minimax.io/v1",
        base_url_env="MINIMAX_BASE_URL",
        key_env=("MINIMAX_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="minimax",
        docs="https://platform.minimax.io/docs/api-reference/text-openai-api",
        capabilities=_CHAT,
    ),
    Vendor(
        # Mainland China has a platform of its own at https://api.stepfun.com/v1.
        type="stepfun",
        title="StepFun",
        base_url="https://api.stepfun.ai/v1",
        base_url_env="STEPFUN_BASE_URL",
        key_env=("STEPFUN_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://platform.stepfun.ai/docs/en/guides/developer/openai",
        capabilities=_CHAT,
    ),
    Vendor(
        type="upstage",
        title="Upstage",
        base_url="https://api.upstage.ai/v1",
        base_url_env="UPSTAGE_BASE_URL",
        key_env=("UPSTAGE_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://console.upstage.ai/api/chat",
        capabilities=_NO_COMPLETIONS,
        aliases=("solar",),
    ),
    Vendor(
        type="inception",
        title="Inception",
        base_url="https://api.inceptionlabs.ai/v1",
        base_url_env="INCEPTION_BASE_URL",
        key_env=("INCEPTION_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.inceptionlabs.ai/api-reference/chat/create-a-chat-completion",
        capabilities=_CHAT_MODELS,
        aliases=("inception-labs", "mercury"),
    ),
    Vendor(
        type="arcee",
        title="Arcee AI",
        base_url="https://api.arcee.ai/api/v1",
        base_url_env="ARCEE_BASE_URL",
        key_env=("ARCEE_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="arcee",
        docs="https://docs.arcee.ai/api-reference/chat-completion",
        capabilities=_CHAT,
        aliases=("arcee-ai",),
    ),
    # ── Hosts of open models ──────────────────────────────────────────────────────────────────────
    Vendor(
        type="groq",
        title="Groq",
        base_url="https://api.groq.com/openai/v1",
        base_url_env="GROQ_BASE_URL",
        key_env=("GROQ_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="groq",
        docs="https://console.groq.com/docs/openai",
        capabilities=_CHAT_MODELS | _RESPONSES | _SOUND | _OBJECTS,
    ),
    Vendor(
        # Lists its models as a bare array. Some models report usage in streams unasked, others not.
        type="together",
        title="Together AI",
        base_url="https://api.together.ai/v1",
        base_url_env="TOGETHER_BASE_URL",
        key_env=("TOGETHER_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="together",
        docs="https://docs.together.ai/docs/inference/openai-compatibility",
        capabilities=_ALL | _SOUND | _RERANK | {Capability.IMAGES},
        aliases=("together-ai", "togetherai"),
    ),
    Vendor(
        type="fireworks",
        title="Fireworks AI",
        base_url="https://api.fireworks.ai/inference/v1",
        base_url_env="FIREWORKS_BASE_URL",
        key_env=("FIREWORKS_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="fireworks",
        docs="https://docs.fireworks.ai/tools-sdks/openai-compatibility",
        capabilities=_ALL | _RESPONSES,
        aliases=("fireworks-ai",),
    ),
    Vendor(
        type="cerebras",
        title="Cerebras",
        base_url="https://api.cerebras.ai/v1",
        base_url_env="CEREBRAS_BASE_URL",
        key_env=("CEREBRAS_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="cerebras",
        docs="https://inference-docs.cerebras.ai/resources/openai",
        capabilities=_NO_EMBEDDINGS,
    ),
    Vendor(
        type="sambanova",
        title="SambaNova",
        base_url="https://api.sambanova.ai/v1",
        base_url_env="SAMBANOVA_BASE_URL",
        key_env=("SAMBANOVA_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.sambanova.ai/docs",
        capabilities=_CHAT_MODELS,
    ),
    Vendor(
        type="nvidia",
        title="NVIDIA NIM",
        base_url="https://integrate.api.nvidia.com/v1",
        base_url_env="NVIDIA_BASE_URL",
        key_env=("NVIDIA_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.api.nvidia.com/nim/reference/llm-apis",
        capabilities=_ALL,
        aliases=("nvidia-nim", "nim"),
    ),
    Vendor(
        # The chunk with the finish reason has the usage.
        type="deepinfra",
        title="DeepInfra",
        base_url="https://api.deepinfra.com/v1/openai",
        base_url_env="DEEPINFRA_BASE_URL",
        key_env=("DEEPINFRA_API_KEY", "DEEPINFRA_TOKEN", "DEEPINFRA_API_TOKEN"),
        stream_usage=StreamUsage.ALWAYS,
        docs="https://deepinfra.com/docs/openai_api",
        capabilities=_ALL,
    ),
    Vendor(
        type="novita",
        title="Novita AI",
        base_url="https://api.novita.ai/openai/v1",
        base_url_env="NOVITA_BASE_URL",
        key_env=("NOVITA_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="novita",
        docs="https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion",
        capabilities=_ALL | _RERANK,
        aliases=("novita-ai",),
    ),
    Vendor(
        type="nebius",
        title="Nebius Token Factory",
        base_url="https://api.tokenfactory.nebius.com/v1",
        base_url_env="NEBIUS_BASE_URL",
        key_env=("NEBIUS_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.tokenfactory.nebius.com/api-reference/introduction",
        capabilities=_NO_COMPLETIONS,
    ),
    Vendor(
        type="hyperbolic",
        title="Hyperbolic",
        base_url="https://api.hyperbolic.xyz/v1",
        base_url_env="HYPERBOLIC_BASE_URL",
        key_env=("HYPERBOLIC_API_KEY",),
        stream_usage=StreamUsage.NEVER,
        docs="https://docs.hyperbolic.ai/inference/overview",
        capabilities=_CHAT_MODELS,
    ),
    Vendor(
        type="baseten",
        title="Baseten",
        base_url="https://inference.baseten.co/v1",
        base_url_env="BASETEN_BASE_URL",
        key_env=("BASETEN_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="baseten",
        docs="https://docs.baseten.co/reference/inference-api/chat-completions",
        capabilities=_CHAT_MODELS,
    ),
    Vendor(
        # Mainland China has a platform of its own at https://api.siliconflow.cn/v1.
        type="siliconflow",
        title="SiliconFlow",
        base_url="https://api.siliconflow.com/v1",
        base_url_env="SILICONFLOW_BASE_URL",
        key_env=("SILICONFLOW_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.siliconflow.com/en/api-reference/chat-completions/chat-completions",
        capabilities=_NO_COMPLETIONS,
    ),
    Vendor(
        type="friendli",
        title="FriendliAI",
        base_url="https://api.friendli.ai/serverless/v1",
        base_url_env="FRIENDLI_BASE_URL",
        key_env=("FRIENDLI_TOKEN",),
        stream_usage=StreamUsage.ASK,
        docs="https://friendli.ai/docs/openapi/model-apis/chat-completions",
        capabilities=_CHAT_MODELS,
        aliases=("friendliai",),
    ),
    Vendor(
        type="featherless",
        title="Featherless AI",
        base_url="https://api.featherless.ai/v1",
        base_url_env="FEATHERLESS_BASE_URL",
        key_env=("FEATHERLESS_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://featherless.ai/docs/api-overview-and-common-options",
        capabilities=_NO_EMBEDDINGS,
        aliases=("featherless-ai",),
    ),
    Vendor(
        type="parasail",
        title="Parasail",
        base_url="https://api.parasail.io/v1",
        base_url_env="PARASAIL_BASE_URL",
        key_env=("PARASAIL_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.parasail.io/parasail-docs/quickstart/serverless",
        capabilities=_CHAT_MODELS,
    ),
    Vendor(
        type="chutes",
        title="Chutes",
        base_url="https://llm.chutes.ai/v1",
        base_url_env="CHUTES_BASE_URL",
        key_env=("CHUTES_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://chutes.ai/docs/guides/reasoning-models",
        capabilities=_CHAT_MODELS,
    ),
    Vendor(
        type="doubleword",
        title="Doubleword",
        base_url="https://api.doubleword.ai/v1",
        base_url_env="DOUBLEWORD_BASE_URL",
        key_env=("DOUBLEWORD_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="doubleword",
        docs="https://docs.doubleword.ai",
        capabilities=_CHAT,
    ),
    Vendor(
        type="nscale",
        title="Nscale",
        base_url="https://inference.api.nscale.com/v1",
        base_url_env="NSCALE_BASE_URL",
        key_env=("NSCALE_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.nscale.com/docs/use-cases/chat",
        capabilities=_CHAT,
    ),
    Vendor(
        type="io-net",
        title="io.net",
        base_url="https://api.intelligence.io.solutions/api/v1",
        base_url_env="IOINTELLIGENCE_BASE_URL",
        key_env=("IOINTELLIGENCE_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://io.net/docs/guides/intelligence/io-intelligence",
        capabilities=_CHAT_MODELS,
        aliases=("io-intelligence",),
    ),
    Vendor(
        type="venice",
        title="Venice AI",
        base_url="https://api.venice.ai/api/v1",
        base_url_env="VENICE_BASE_URL",
        key_env=("VENICE_API_KEY", "VENICE_AI_API_KEY"),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.venice.ai/api-reference/endpoint/chat/completions",
        capabilities=_CHAT_MODELS,
        aliases=("venice-ai", "veniceai"),
    ),
    Vendor(
        type="wandb",
        title="Weights & Biases",
        base_url="https://api.inference.wandb.ai/v1",
        base_url_env="WANDB_INFERENCE_BASE_URL",  # WANDB_BASE_URL is where its tracking server is
        key_env=("WANDB_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.wandb.ai/inference/api-reference/chat-completions",
        capabilities=_CHAT,
        aliases=("wandb-inference",),
    ),
    # ── Clouds ────────────────────────────────────────────────────────────────────────────────────
    Vendor(
        # A model is a deployment's name. What the base URL looks like is told in azure.py.
        type="azure",
        title="Azure OpenAI",
        base_url="",
        base_url_env="AZURE_OPENAI_BASE_URL",
        key_env=("AZURE_OPENAI_API_KEY",),
        stream_usage=StreamUsage.ASK,
        prices_id="azure",
        docs="https://learn.microsoft.com/en-us/azure/foundry/openai/latest",
        capabilities=_CHAT | {Capability.COMPLETIONS, Capability.EMBEDDINGS} | _RESPONSES | _OTHERS | _OBJECTS,
        aliases=("azure-openai", "azure-foundry"),
        output_field="max_completion_tokens",
        wires=(AZURE,),
        wires_by_url=azure.wires,
        tidy=azure.base_url,
        url_from=("{AZURE_OPENAI_ENDPOINT}/openai?api-version={OPENAI_API_VERSION}", "{AZURE_OPENAI_ENDPOINT}"),
    ),
    Vendor(
        # Google's models. The key is the JSON of a service account; without one, it is whoever this machine is.
        type="vertex",
        title="Vertex AI",
        base_url="",
        base_url_env="VERTEX_BASE_URL",
        key_env=("VERTEX_CREDENTIALS",),
        needs_key=False,
        stream_usage=StreamUsage.ALWAYS,
        prices_id="google",
        docs="https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference",
        capabilities=frozenset(),
        aliases=("vertex-ai", "vertexai", "google-vertex"),
        wires=(GEMINI_AT_VERTEX,),
        tidy=vertex.base_url,
        url_from=(vertex.address("VERTEXAI_PROJECT", "VERTEXAI_LOCATION"),),
        credential=GoogleCredential,
    ),
    Vendor(
        # Anthropic's models there.
        type="vertex-anthropic",
        title="Anthropic on Vertex AI",
        base_url="",
        base_url_env="ANTHROPIC_VERTEX_BASE_URL",
        key_env=("ANTHROPIC_VERTEX_CREDENTIALS",),
        needs_key=False,
        stream_usage=StreamUsage.ALWAYS,
        prices_id="google",
        docs="https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai",
        capabilities=frozenset(),
        aliases=("vertex-claude", "anthropic-vertex"),
        wires=(ANTHROPIC_AT_VERTEX,),
        tidy=vertex.base_url,
        url_from=(vertex.address("ANTHROPIC_VERTEX_PROJECT_ID", "CLOUD_ML_REGION"),),
        credential=GoogleCredential,
    ),
    Vendor(
        # The key is one of Bedrock's, or an access key as id:secret; without one, it is whoever this machine is.
        type="bedrock",
        title="Amazon Bedrock",
        base_url="",
        base_url_env="BEDROCK_BASE_URL",
        key_env=("AWS_BEARER_TOKEN_BEDROCK",),
        needs_key=False,
        stream_usage=StreamUsage.ALWAYS,
        prices_id="aws",
        docs="https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html",
        capabilities=_LIST,
        aliases=("aws", "aws-bedrock", "amazon-bedrock"),
        wires=(BEDROCK,),
        tidy=bedrock.base_url,
        url_from=(bedrock.address("AWS_REGION"), bedrock.address("AWS_DEFAULT_REGION")),
        url_from_needs_key=True,
        models_url=bedrock.models_url,
        credential=AwsCredential,
    ),
    Vendor(
        type="scaleway",
        title="Scaleway",
        base_url="https://api.scaleway.ai/v1",
        base_url_env="SCALEWAY_BASE_URL",
        key_env=("SCW_SECRET_KEY", "SCALEWAY_API_KEY"),
        stream_usage=StreamUsage.ASK,
        docs="https://www.scaleway.com/en/docs/generative-apis/reference-content/openai-compatibility/",
        capabilities=_NO_COMPLETIONS,
    ),
    Vendor(
        type="ovhcloud",
        title="OVHcloud AI Endpoints",
        base_url="https://oai.endpoints.kepler.ai.cloud.ovh.net/v1",
        base_url_env="OVHCLOUD_BASE_URL",
        key_env=("OVH_AI_ENDPOINTS_ACCESS_TOKEN", "OVHCLOUD_API_KEY"),
        stream_usage=StreamUsage.ASK,
        prices_id="ovhcloud",
        docs="https://www.ovhcloud.com/en/public-cloud/ai-endpoints/catalog/gpt-oss-120b/",
        capabilities=_CHAT_MODELS,
        aliases=("ovh",),
    ),
    Vendor(
        type="volcengine",
        title="Volcengine Ark",
        base_url="https://ark.cn-beijing.volces.com/api/v3",
        base_url_env="ARK_BASE_URL",
        key_env=("ARK_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://www.volcengine.com/docs/82379/1298459",
        capabilities=_CHAT | _RESPONSES,
        aliases=("ark", "doubao"),
    ),
    Vendor(
        # The account is in the URL: https://api.cloudflare.com/client/v4/accounts/<account>/ai/v1
        type="cloudflare",
        title="Cloudflare Workers AI",
        base_url="",
        base_url_env="CLOUDFLARE_BASE_URL",
        key_env=("CLOUDFLARE_API_TOKEN", "CLOUDFLARE_API_KEY"),
        stream_usage=StreamUsage.ASK,
        prices_id="cloudflare",
        docs="https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/",
        capabilities=_CHAT_EMBEDDINGS,
        aliases=("workers-ai", "cloudflare-workers-ai"),
    ),
    Vendor(
        # The workspace is in the URL: https://<workspace>/serving-endpoints. Some of its models come from
        # elsewhere, and those refuse stream_options.
        type="databricks",
        title="Databricks",
        base_url="",
        base_url_env="DATABRICKS_BASE_URL",
        key_env=("DATABRICKS_TOKEN",),
        stream_usage=StreamUsage.NEVER,
        prices_id="databricks",
        docs="https://docs.databricks.com/en/machine-learning/foundation-models/api-reference.html",
        capabilities=_CHAT_EMBEDDINGS,
    ),
    Vendor(
        type="ollama-cloud",
        title="Ollama Cloud",
        base_url="https://ollama.com/v1",
        base_url_env="OLLAMA_CLOUD_BASE_URL",
        key_env=("OLLAMA_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://docs.ollama.com/cloud",
        capabilities=_CHAT_MODELS,
        wires=(OLLAMA, OPENAI),
    ),
    # ── Gateways to other vendors ─────────────────────────────────────────────────────────────────
    Vendor(
        # Usage is in every answer; stream_options is deprecated and has no effect.
        type="openrouter",
        title="OpenRouter",
        base_url="https://openrouter.ai/api/v1",
        base_url_env="OPENROUTER_BASE_URL",
        key_env=("OPENROUTER_API_KEY",),
        stream_usage=StreamUsage.ALWAYS,
        prices_id="openrouter",
        docs="https://openrouter.ai/docs/use-cases/usage-accounting",
        capabilities=_NO_COMPLETIONS | _RESPONSES | _RERANK,
        wires=(OPENAI, ANTHROPIC_BY_BEARER),
    ),
    Vendor(
        # Prices depend on the host that serves the model, so genai-prices has no single entry for it.
        type="huggingface",
        title="Hugging Face",
        base_url="https://router.huggingface.co/v1",
        base_url_env="HF_BASE_URL",
        key_env=("HF_TOKEN", "HUGGINGFACE_API_KEY"),
        stream_usage=StreamUsage.ASK,
        docs="https://huggingface.co/docs/inference-providers",
        capabilities=_CHAT_MODELS | _RESPONSES,
        aliases=("hf", "hugging-face"),
    ),
    Vendor(
        type="vercel",
        title="Vercel AI Gateway",
        base_url="https://ai-gateway.vercel.sh/v1",
        base_url_env="AI_GATEWAY_BASE_URL",
        key_env=("AI_GATEWAY_API_KEY", "VERCEL_AI_GATEWAY_API_KEY"),
        stream_usage=StreamUsage.ASK,
        docs="https://vercel.com/docs/ai-gateway/sdks-and-apis/openai-chat-completions",
        capabilities=_NO_COMPLETIONS | _RESPONSES,
        aliases=("vercel-ai-gateway", "ai-gateway"),
    ),
    Vendor(
        type="poe",
        title="Poe",
        base_url="https://api.poe.com/v1",
        base_url_env="POE_BASE_URL",
        key_env=("POE_API_KEY",),
        stream_usage=StreamUsage.ASK,
        docs="https://creator.poe.com/docs/external-applications/openai-compatible-api",
        capabilities=_CHAT,
    ),
    # ── Run by the user ───────────────────────────────────────────────────────────────────────────
    Vendor(
        type="ollama",
        title="Ollama",
        base_url="http://127.0.0.1:11434/v1",
        base_url_env="OLLAMA_BASE_URL",  # OLLAMA_API_KEY is for its cloud, which is `ollama-cloud`
        needs_key=False,
        stream_usage=StreamUsage.ASK,
        docs="https://docs.ollama.com/api/openai-compatibility",
        capabilities=_ALL | _RESPONSES,
        local=True,
        wires=(OLLAMA, OPENAI, ANTHROPIC_BY_BEARER),  # its own first: chats of other wires are translated to that
    ),
    Vendor(
        type="lmstudio",
        title="LM Studio",
        base_url="http://127.0.0.1:1234/v1",
        base_url_env="LMSTUDIO_BASE_URL",
        key_env=("LMSTUDIO_API_KEY",),
        needs_key=False,
        stream_usage=StreamUsage.ASK,  # since 0.3.18
        docs="https://lmstudio.ai/docs/developer/openai-compat",
        capabilities=_ALL | _RESPONSES,
        local=True,
        aliases=("lm-studio",),
        wires=(OPENAI, ANTHROPIC_BY_BEARER),
    ),
    Vendor(
        type="vllm",
        title="vLLM",
        base_url="http://127.0.0.1:8000/v1",
        base_url_env="VLLM_BASE_URL",
        key_env=("VLLM_API_KEY",),
        needs_key=False,
        stream_usage=StreamUsage.ASK,
        docs="https://docs.vllm.ai/en/latest/serving/openai_compatible_server/",
        capabilities=_ALL | _RESPONSES | _LISTENING | _RERANK,
        local=True,
        wires=(OPENAI, ANTHROPIC_BY_BEARER),
    ),
    Vendor(
        type="llamacpp",
        title="llama.cpp",
        base_url="http://127.0.0.1:8080/v1",
        base_url_env="LLAMACPP_BASE_URL",
        key_env=("LLAMACPP_API_KEY",),
        needs_key=False,
        stream_usage=StreamUsage.ASK,
        docs="https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md",
        capabilities=_ALL | _RESPONSES | _RERANK,
        local=True,
        aliases=("llama.cpp", "llama-cpp", "llama-server"),
        wires=(OPENAI, ANTHROPIC_BY_BEARER),
    ),
    Vendor(
        type="sglang",
        title="SGLang",
        base_url="http://127.0.0.1:30000/v1",
        base_url_env="SGLANG_BASE_URL",
        key_env=("SGLANG_API_KEY",),
        needs_key=False,
        stream_usage=StreamUsage.ASK,
        docs="https://docs.sglang.ai/basic_usage/openai_api_completions.html",
        capabilities=_ALL | _RERANK,
        local=True,
    ),
    Vendor(
        type="tgi",
        title="Text Generation Inference",
        base_url="http://127.0.0.1:3000/v1",
        base_url_env="TGI_BASE_URL",
        key_env=("TGI_API_KEY",),
        needs_key=False,
        stream_usage=StreamUsage.ASK,
        docs="https://huggingface.co/docs/text-generation-inference/messages_api",
        capabilities=_CHAT,
        local=True,
        aliases=("text-generation-inference",),
    ),
    Vendor(
        type="litellm",
        title="LiteLLM",
        base_url="http://127.0.0.1:4000/v1",
        base_url_env="LITELLM_BASE_URL",
        key_env=("LITELLM_API_KEY", "LITELLM_PROXY_API_KEY"),
        needs_key=False,
        stream_usage=StreamUsage.ASK,
        docs="https://docs.litellm.ai/docs/proxy/user_keys",
        capabilities=_ALL | _RESPONSES | _OTHERS | _RERANK,
        local=True,
        aliases=("litellm-proxy",),
        wires=(OPENAI, ANTHROPIC_BY_BEARER),
    ),
    Vendor(
        # Anything else that speaks the OpenAI wire. Nothing is known of it, so it is taken to speak all of it.
        type="openai-compatible",
        title="OpenAI-compatible",
        base_url="",
        base_url_env="OPENAI_COMPATIBLE_BASE_URL",
        key_env=("OPENAI_COMPATIBLE_API_KEY",),
        needs_key=False,
        stream_usage=StreamUsage.ASK,
        docs="https://platform.openai.com/docs/api-reference/chat",
        capabilities=_ALL | _OTHERS | _RERANK,
        aliases=("openai-like", "custom"),
    ),
    Vendor(
        # Anything else that speaks the Anthropic wire, such as https://api.deepseek.com/anthropic.
        type="anthropic-compatible",
        title="Anthropic-compatible",
        base_url="",
        base_url_env="ANTHROPIC_COMPATIBLE_BASE_URL",
        key_env=("ANTHROPIC_COMPATIBLE_API_KEY",),
        needs_key=False,
        stream_usage=StreamUsage.ALWAYS,
        docs="https://platform.claude.com/docs/en/api/messages",
        capabilities=frozenset(),
        aliases=("anthropic-like",),
        wires=(ANTHROPIC,),
    ),
)

_BY_NAME = {name: vendor for vendor in VENDORS for name in (vendor.type, *vendor.aliases)}


def output_field(type: str) -> str:  # noqa: A002
    """The name of the field for the length of a chat's answer, for a provider type."""
    vendor = _BY_NAME.get(type)
    return "max_tokens" if vendor is None else vendor.output_field


UNKNOWN = _BY_NAME["openai-compatible"]
"""What a provider of a type without a row is taken for."""


def vendor_for(type: str) -> Vendor | None:  # noqa: A002
    """The row for a provider type or an alias of it, however it is capitalised; None for no such vendor."""
    return _BY_NAME.get(type.strip().lower().replace("_", "-").replace(" ", "-"))
