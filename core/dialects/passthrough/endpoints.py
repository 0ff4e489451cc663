"""OpenAI's endpoints that are no conversations, and the rerank endpoint of Cohere's making that many have beside them.

Their requests go to a provider that has the endpoint, or to none: nothing is translated.

https://platform.openai.com/docs/api-reference · https://docs.cohere.com/reference/rerank · https://api.jina.ai/docs
"""

from typing import Final

IMAGE: Final = "image_generation"
IMAGE_EDIT: Final = "image_edit"
SPEECH: Final = "speech"
TRANSCRIPTION: Final = "transcription"
TRANSLATION: Final = "translation"
MODERATION: Final = "moderation"
RERANK: Final = "rerank"

FORMS: Final = frozenset({IMAGE_EDIT, TRANSCRIPTION, TRANSLATION})
"""Those whose requests may be forms, which have files in them."""
ALL: Final = frozenset({IMAGE, IMAGE_EDIT, SPEECH, TRANSCRIPTION, TRANSLATION, MODERATION, RERANK})
