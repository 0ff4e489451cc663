"""What the end-to-end suites share: an account (accounts.py) and providers (providers.py)."""

from tests.e2e.accounts import account, mount, usage_stub
from tests.e2e.providers import fake, fake_provider, provider, real_provider

__all__ = ["account", "fake", "fake_provider", "mount", "provider", "real_provider", "usage_stub"]
