"""Where pytest finds what tests share; see tests/support/."""

pytest_plugins = [
    "tests.support.limit",
    "tests.support.network",
    "tests.support.database",
    "tests.support.core",
    "tests.support.facade",
    "tests.support.openai_upstream",
    "tests.support.inference",
    "tests.support.router",
    "tests.support.service",
]
