"""The models that can be called under /proxy, as either API lists them."""

from facade import anthropic_models, model_list

OPENAI_OPERATIONS = model_list.operations("/proxy/openai/v1")
ANTHROPIC_OPERATIONS = anthropic_models.operations("/proxy/anthropic/v1")
