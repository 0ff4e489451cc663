"""The parts of README.md that are made from the code.

    <!-- vendors:table -->   … made from core/providers/vendors.py …   <!-- /vendors:table -->

`python -m tests.support.readme` writes them anew; tests/test_readme.py fails where they are not what the
code says.
"""

import re
from pathlib import Path

from core.dialects.anthropic.messages import MESSAGES
from core.dialects.gemini import generate as gemini
from core.dialects.openai.chat import COMPLETION, EMBEDDING
from core.dialects.passthrough import endpoints as passthrough
from core.dialects.responses.request import RESPONSES
from core.providers.vendors import VENDORS, Capability, Vendor

README = Path(__file__).parents[2] / "README.md"

_OTHERS = ("openai-compatible", "anthropic-compatible")
_ENDPOINTS = {
    COMPLETION: "text",
    EMBEDDING: "embeddings",
    gemini.EMBED: "embeddings",
    RESPONSES: "responses",
    MESSAGES: "messages",
    passthrough.IMAGE: "images",
    passthrough.SPEECH: "speech",
    passthrough.TRANSCRIPTION: "transcripts",
    passthrough.MODERATION: "moderations",
    passthrough.RERANK: "rerank",
}


def renewed(text: str) -> str:
    """The README with every such part as it should be."""
    for name, made in {"vendors:count": vendor_count(), "vendors:table": vendor_table()}.items():
        opening, closing = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        before, _, rest = text.partition(opening)
        _, found, after = rest.partition(closing)
        assert found, f"the README has no part {name}"
        text = before + opening + made + closing + after
    return text


def vendor_count() -> str:
    """A sentence that says how many vendors there are."""
    own = sum(vendor.local for vendor in VENDORS)
    hosted = len(VENDORS) - own - len(_OTHERS)
    return (
        f"There are {hosted} hosted vendors and {own} kinds of server to run yourself in "
        f"[the table](core/providers/vendors.py),\nand `{_OTHERS[0]}` and `{_OTHERS[1]}` for any other server that "
        "speaks the API of one of these."
    )


def vendor_table() -> str:
    """The vendors in the order of their table, in Markdown; † marks those that document no list of models."""
    rows = ["| provider | `type` | variables | endpoints |", "| --- | --- | --- | --- |"]
    return "\n".join([*rows, *map(_row, VENDORS)])


def _row(vendor: Vendor) -> str:
    urls = re.findall(r"\{(\w+)\}", vendor.url_from[-1]) if vendor.url_from else [vendor.base_url_env]
    needs_url = vendor.local or not vendor.base_url
    variables = [*(dict.fromkeys(urls) if needs_url else ()), *vendor.key_env[: vendor.needs_key or vendor.local]]
    shown = ", ".join(f"`{variable}`" for variable in variables)
    has = {operation for wire in vendor.wires for operation in wire.paths if vendor.has(operation)}
    # A chat can be put on every wire; of the other endpoints these are the vendor's own.
    endpoints = ", ".join(["chat", *(word for operation, word in _ENDPOINTS.items() if operation in has)])
    listed = "" if Capability.MODELS in vendor.capabilities else " †"
    return f"| [{vendor.title}]({vendor.docs}) | `{vendor.type}` | {shown} | {endpoints}{listed} |"


if __name__ == "__main__":
    README.write_text(renewed(README.read_text()))
