"""Where pytest finds what tests share; see tests/support/."""

pytest_plugins = [
    "tests.support.parallel",
    "tests.support.limit",
    "tests.support.limits",
    "tests.support.network",
    "tests.support.database",
    "tests.support.core",
    "tests.support.facade",
    "tests.support.openai_upstream",
    "tests.support.anthropic_upstream",
    "tests.support.bedrock_upstream",
    "tests.support.ollama_upstream",
    "tests.support.inference",
    "tests.support.router",
    "tests.support.service",
]
