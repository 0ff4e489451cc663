"""The configuration file, from its text to what it says, and all that can be wrong with it."""

import textwrap
import time
from datetime import date
from pathlib import Path

import pytest

from core import config_file
from core.config.document import MAX_BYTES
from core.config.problems import ConfigurationError, Place, Problem
from core.config.providers import DeclaredProvider
from core.config_file import Configuration
from core.ledger.prices import Override, Price, Rate
from core.routing.lookup import Route, RouteTarget
from core.settings import SettingsError

ENVIRON = {"OPENAI_API_KEY": "sk-sesame", "HOST": "gpu.lan", "PRICE": "0.30"}


def parse(text: str) -> Configuration:
    return config_file.parse(textwrap.dedent(text), ENVIRON)


def problems(text: str) -> list[str]:
    """What is wrong with a text, one line each."""
    with pytest.raises(ConfigurationError) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def test_every_key() -> None:
    found = parse("""
        providers:
          - name: main
            type: openai
            base_url: https://proxy.lan/v1/
            api_key: ${OPENAI_API_KEY}
            enabled: false
            timeouts: {connect: 500ms, first_byte: 2m, idle: 1.5}
            models: [one, two/three]
        routes:
          - alias: fast
            targets:
              - main/one
              - {provider: main, model: two/three}
              - gpt-4o
        prices:
          - provider: main
            model: gpt-*
            from: 2026-01-31
            input: 2.50
            output: "10"
            cached_input: 1.25
            cache_write: 0
            audio_input: 40
            audio_output: .5
    """)
    assert found.providers == (
        DeclaredProvider(
            name="main",
            type="openai",
            base_url="https://proxy.lan/v1",
            api_key="sk-sesame",
            enabled=False,
            connect_ms=500,
            first_byte_ms=120_000,
            idle_ms=1500,
            models=("one", "two/three"),
        ),
    )
    assert found.routes == (
        Route("fast", (RouteTarget("main/one"), RouteTarget("two/three", "main"), RouteTarget("gpt-4o"))),
    )
    price = Price(
        source="config main/gpt-* from 2026-01-31",
        input=Rate(2_500_000_000),
        output=Rate(10_000_000_000),
        cached_input=Rate(1_250_000_000),
        cache_write=Rate(0),
        audio_input=Rate(40_000_000_000),
        audio_output=Rate(500_000_000),
    )
    assert found.prices == (Override("main", "gpt-*", price, date(2026, 1, 31)),)


def test_defaults() -> None:
    found = parse("""
        providers: [{name: o, type: openai}]
        prices: [{model: m, input: 1, output: 2}]
    """)
    assert found.providers == (DeclaredProvider(name="o", type="openai", base_url="https://api.openai.com/v1"),)
    assert found.prices == (Override("*", "m", Price("config */m", Rate(10**9), Rate(2 * 10**9)), date.min),)


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "providers:\nroutes:\nprices:\n", "{}", "~"])
def test_nothing_says_nothing(text: str) -> None:
    assert parse(text) == Configuration()


def test_a_type_may_be_an_alias_and_is_stored_in_its_one_form() -> None:
    (provider,) = parse("providers: [{name: c, type: Claude}]").providers
    assert (provider.type, provider.base_url) == ("anthropic", "https://api.anthropic.com/v1")


def test_scalars_keep_the_text_that_was_written() -> None:
    (provider,) = parse(
        "providers: [{name: no, type: openai, api_key: 0123, models: [4.10, 1e3, null-model]}]"
    ).providers
    assert (provider.name, provider.api_key, provider.models) == ("no", "0123", ("4.10", "1e3", "null-model"))


@pytest.mark.parametrize(
    ("written", "nanos"),
    [
        ("0.1", 100_000_000),
        ("0.15", 150_000_000),
        ("3", 3_000_000_000),
        ("'2.50'", 2_500_000_000),
        ("0.000000001", 1),
        ("1.10000000000000000000", 1_100_000_000),
        (".075", 75_000_000),
        ("1000000", 10**15),
        ("'${PRICE}'", 300_000_000),
    ],
)
def test_prices_are_exact(written: str, nanos: int) -> None:
    (override,) = parse(f"prices: [{{model: m, input: {written}, output: 0}}]").prices
    assert override.price.input == Rate(nanos)


@pytest.mark.parametrize(
    "written", ["-1", "1e3", ".inf", ".nan", "$2", "'1,5'", "1_000", "0x10", "1:30", "a", "''", "[1]", "1000001"]
)
def test_what_is_no_price(written: str) -> None:
    (problem,) = problems(f"prices: [{{model: m, input: {written}, output: 0}}]")
    assert "prices[0].input: " in problem


def test_a_price_finer_than_is_kept_is_refused() -> None:
    (problem,) = problems("prices: [{model: m, input: 0.0000000001, output: 0}]")
    assert "at most 9 digits" in problem


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [("5", 5000), ("0.25", 250), ("30s", 30_000), ("30 s", 30_000), ("2m", 120_000), ("1.5h", 5_400_000), ("1ms", 1)],
)
def test_times_to_wait(written: str, milliseconds: int) -> None:
    (provider,) = parse(f"providers: [{{name: o, type: openai, timeouts: {{idle: {written}}}}}]").providers
    assert provider.idle_ms == milliseconds


@pytest.mark.parametrize("written", ["0", "0s", "-1s", "1d", "s", "1e3", "25h", "1.5.1", "soon", "99999999999999999s"])
def test_what_is_no_time_to_wait(written: str) -> None:
    (problem,) = problems(f"providers: [{{name: o, type: openai, timeouts: {{idle: {written}}}}}]")
    assert "providers[0].timeouts.idle: must be" in problem


def test_all_problems_are_told_at_once_with_their_places() -> None:
    assert problems("""
        providers:
          - name: a/b
            type: openai
            base_urll: x
          - type: openai-compatible
        routes:
          - alias: fast
            targets: [/x]
        quotas: 1
    """) == [
        "line 3, column 11: providers[0].name: a provider's name has no '/' in it: it is what parts provider/model",
        'line 5, column 5: providers[0].base_urll: unknown key; did you mean "base_url"?',
        "line 6, column 5: providers[1].name: is missing",
        "line 6, column 5: providers[1].base_url: OpenAI-compatible has no address of its own, so name yours",
        'line 9, column 15: routes[0].targets[0]: must be a model, or "provider/model"',
        "line 10, column 1: quotas: unknown key; there are providers, routes, prices, limits",
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        # What a whole is made of.
        ("- a", "must be a mapping with the keys providers, routes, prices, limits"),
        ("hello", "must be a mapping"),
        ("providers: {name: x}", "providers: must be a list"),
        ("providers: x", "providers: must be a list"),
        ("providers: [x]", "providers[0]: must be a mapping with the keys name, type"),
        ("providers: [~]", "providers[0].name: is missing"),
        ("routes: [[a]]", "routes[0]: must be a mapping"),
        # Keys.
        ("provider: []", 'provider: unknown key; did you mean "providers"?'),
        ("routes: []\nroutes: []", "routes: the key is here twice; first on line 1"),
        ("? [a]\n: b", "a key must be a plain word"),
        ("prices: [{<<: {model: m}, input: 1, output: 1}]", "prices[0].<<: unknown key"),
        # Providers.
        ("providers: [{name: '', type: openai}]", "providers[0].name: name must have 1 to 100 characters"),
        ("providers: [{name: [a], type: openai}]", "providers[0].name: must be a single value"),
        ("providers: [{name: a, type: opena}]", "providers[0].type: no such provider type"),
        ("providers: [{name: a, type: openai, base_url: 'ftp://x'}]", "providers[0].base_url: the base URL of OpenAI"),
        ("providers: [{name: a, type: echo, base_url: 'http://x'}]", "echo has no address"),
        ("providers: [{name: a, type: openai, enabled: maybe}]", "providers[0].enabled: must be true or false"),
        ("providers: [{name: a, type: openai, api_key: a b}]", "only printable ASCII"),
        ("providers: [{name: a, type: openai, api_key: x, api_key_env: HOST}]", "one of the two is enough"),
        ("providers: [{name: a, type: openai, api_key_env: NOPE}]", "the environment variable NOPE is not set"),
        ("providers: [{name: a, type: openai, models: [m, m]}]", "providers[0].models[1]: this model is in the list"),
        ("providers: [{name: a, type: openai, models: m}]", "providers[0].models: must be a list"),
        ("providers: [{name: a, type: openai, models: [~]}]", "providers[0].models[0]: must be a single value"),
        (
            "providers:\n- {name: a, type: openai}\n- {name: a, type: groq}",
            "providers[1].name: there is a provider of this name on line 2 already",
        ),
        # Routes.
        ("routes: [{targets: [m]}]", "routes[0].alias: is missing"),
        ("routes: [{alias: a}]", "routes[0].targets: must be a list of 1 to 20"),
        ("routes: [{alias: a, targets: []}]", "routes[0].targets: must be a list of 1 to 20"),
        (f"routes: [{{alias: a, targets: [{','.join(map(str, range(21)))}]}}]", "must be a list of 1 to 20"),
        ("routes: [{alias: a, targets: [m, m]}]", "routes[0].targets[1]: this target is in the list already"),
        ("routes: [{alias: a, targets: ['']}]", "routes[0].targets[0]: a target must have 1 to 300 characters"),
        ("routes: [{alias: a, targets: [p/]}]", "routes[0].targets[0]: must be a model"),
        ("routes: [{alias: a, targets: [{model: m}]}]", "routes[0].targets[0].provider: is missing"),
        ("routes: [{alias: a, targets: [{provider: p}]}]", "routes[0].targets[0].model: is missing"),
        (
            "routes: [{alias: a, targets: [{provider: p, model: m, weight: 3}]}]",
            "routes[0].targets[0].weight: unknown key; there are provider, model",
        ),
        (
            "routes:\n- {alias: a, targets: [m]}\n- {alias: a, targets: [n]}",
            "routes[1].alias: there is a route of this name on line 2 already",
        ),
        # Prices.
        ("prices: [{input: 1, output: 1}]", "prices[0].model: is missing"),
        ("prices: [{model: m, output: 1}]", "prices[0].input: is missing"),
        ("prices: [{model: m, input: 1}]", "prices[0].output: is missing"),
        ("prices: [{model: m, input: 1, output: 1, from: 2026}]", "prices[0].from: must be a day such as"),
        ("prices: [{model: m, input: 1, output: 1, from: 2026-02-30}]", "prices[0].from: day is out of range"),
        ("prices: [{model: m, input: 1, output: 1, from: 20260201}]", "prices[0].from: must be a day"),
        (
            "prices:\n- {model: m, input: 1, output: 1}\n- {model: m, input: 2, output: 1}",
            "line 2 has a price for the same models from the same day already",
        ),
        # YAML.
        ("a: [", "this is not valid YAML: while parsing a flow node"),
        ("a: b: c", "line 1, column 5: this is not valid YAML: mapping values are not allowed here"),
        ("a:\n\t- b", "line 2, column 1: this is not valid YAML"),
        ("a: *b", "found undefined alias"),
        ("a: 1\n---\nb: 1", "expected a single document in the stream, but found another document"),
        ("ab: 1\nc: \x01", "line 2, column 4: this is not valid YAML: a control character"),
        ("providers: !!python/name:os.system x", "a tag such as tag:yaml.org,2002:python/name:os.system"),
        ("providers: [{name: !secret x, type: openai}]", "providers[0].name: a tag such as !secret"),
        ("providers: &a [*a]", "this is nested too deeply"),
        ("[" * 20_000, "brackets are nested too deeply"),
        ("routes: " + "[" * 12 + "]" * 12, "this is nested too deeply"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str) -> None:
    found = problems(text)
    assert any(says in problem for problem in found), found


def test_aliases_that_multiply_are_refused_and_soon() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    before = time.process_time()
    assert any("too many entries" in problem for problem in problems("\n".join(levels)))
    assert time.process_time() - before < 5


def test_an_anchor_saves_writing() -> None:
    found = parse("""
        providers:
          - {name: a, type: openai, timeouts: &slow {first_byte: 10m}}
          - {name: b, type: openai, timeouts: *slow}
    """)
    assert [provider.first_byte_ms for provider in found.providers] == [600_000, 600_000]


def test_variables_are_put_into_texts_after_the_yaml_was_read() -> None:
    environ = {"HOST": "gpu.lan", "TRICK": "x, type: echo}, {name: y", "EMPTY": ""}
    text = "providers: [{name: '${TRICK}', type: vllm, base_url: 'http://${HOST}:8000/v1', models: ['$${HOST} $HOST']}]"
    (provider,) = config_file.parse(text, environ).providers
    assert provider.name == environ["TRICK"]
    assert provider.base_url == "http://gpu.lan:8000/v1"
    assert provider.models == ("${HOST} $HOST",)
    with pytest.raises(ConfigurationError, match=r"line 1, column 20: providers\[0\].name: .*EMPTY is not set"):
        config_file.parse("providers: [{name: '${EMPTY}', type: vllm}]", environ)


@pytest.mark.parametrize("written", ["${", "${}", "${a b}", "${1A}", "${A:-b}", "x${HOST"])
def test_a_variable_that_is_not_one_is_refused(written: str) -> None:
    (problem,) = problems(f"routes: [{{alias: '{written}', targets: [m]}}]")
    assert "the name of an environment variable and } must follow" in problem


def test_no_secret_is_repeated() -> None:
    texts = [
        "providers: [{name: a, type: openai, api_key: 'sk-sesame sk-sesame'}]",
        "providers: [{name: a, type: openai, api_key: sk-sesame: x}]",
        "providers: [{name: a, type: sk-sesame, base_url: 'http://sk-sesame@x'}]",
        "providers: [{name: a, type: openai, enabled: '${OPENAI_API_KEY}', timeouts: {idle: sk-sesame}}]",
        "providers: [{name: a, type: openai, api_key_env: OPENAI_API_KEY, base_url: 'x ${OPENAI_API_KEY}'}]",
        "prices: [{model: m, input: sk-sesame, output: 1, from: sk-sesame}]",
    ]
    for text in texts:
        assert not any("sesame" in problem for problem in problems(text)), problems(text)
    (provider,) = parse("providers: [{name: a, type: openai, api_key: sk-sesame}]").providers
    assert "sesame" not in repr(provider)


def test_a_file_is_read_and_named_in_what_is_said(tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    path.write_bytes("\ufeffroutes: [{alias: schnell-über, targets: [m]}]\r\n".encode())
    assert config_file.load(path, {}).routes[0].alias == "schnell-über"

    path.write_text("routes: 1\nprices: 2\n")
    with pytest.raises(SettingsError) as caught:
        config_file.load(path, {})
    first, second, third = str(caught.value).splitlines()
    assert first == f"{path} can't be used:"
    assert second == "  line 1, column 9: routes: must be a list: each item on a line of its own that begins with '- '"
    assert third.startswith("  line 2, column 9: prices: must be a list")
    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.in_one_line() == f"{path} can't be used: {second.strip()}; {third.strip()}"


def test_a_file_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        config_file.load(tmp_path / "absent.yaml", {})
    with pytest.raises(ConfigurationError, match="Is a directory"):
        config_file.load(tmp_path, {})
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"routes:\n- alias: \xfcber\n")
    with pytest.raises(ConfigurationError, match="line 2, column 10: this is not UTF-8"):
        config_file.load(path, {})


def test_a_file_has_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ConfigurationError, match="more than 1048576 characters"):
        config_file.load(path, {})


def test_many_problems_are_cut_short() -> None:
    error = ConfigurationError("f", [Problem(Place(line, 1), "", "wrong") for line in range(1, 101)])
    assert len(error.problems) == 100
    assert len(str(error).splitlines()) == 32
    assert str(error).endswith("and 70 more")
