"""app.toml: what is right is read, what is wrong is named."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynimo.sdk import app as sdk_app
from dynimo.sdk.fallbacks import Fallback
from dynimo.sdk.permissions import permissions

GOOD = """
name = "demo"
examples = ["/hello"]
[sources]
own = "files"
[functions.hello]
handler = "hello.handler"
timeout_seconds = 1.5
files = ["rules"]
network = "none"
inherit = ["SHOP_KEY"]
settings = ["rules", "limits"]
[functions.hello.environment]
A = "1"
[[routes]]
path = "/hello/"
function = "hello"
accept = ["a/b"]
"""


def _read(tmp_path: Path, text: str) -> sdk_app.App:
    (tmp_path / "app.toml").write_text(text)
    return sdk_app.read(tmp_path)


def test_a_good_manifest_is_read_whole(tmp_path: Path) -> None:
    """Every key arrives, lists as tuples."""
    app = _read(tmp_path, GOOD)

    hello = app.functions["hello"]
    assert (hello.handler, hello.timeout_seconds, hello.files) == ("hello.handler", 1.5, ("rules",))
    assert (hello.environment, hello.network) == ({"A": "1"}, "none")
    assert (hello.inherit, hello.settings) == (("SHOP_KEY",), ("rules", "limits"))
    assert app.routes == (sdk_app.Route(path="/hello/", function="hello", accept=("a/b",)),)
    assert (app.sources, app.examples) == ({"own": "files"}, ("/hello",))
    assert app.function_name("hello") == "demo-hello"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('name = "demo"', 'name = "De mo"'), "lower-case"),
        (('name = "demo"', 'nam = "demo"'), "unknown key 'nam'"),
        (('name = "demo"', 'name = "demo"\nopt_in = 1'), "opt_in must be true or false"),
        (("timeout_seconds = 1.5", "timeout_seconds = 0"), "between 0.05 and 900"),
        (("timeout_seconds = 1.5", 'timeout_seconds = "1"'), "must be a number"),
        (("timeout_seconds = 1.5", "limit = true"), "must be a whole number"),
        (("timeout_seconds = 1.5", "memory = 5"), "unknown key 'memory'; allowed: handler"),
        (("timeout_seconds = 1.5", "reserve = 3\nlimit = 2"), "reserve = 3 must be between"),
        (("timeout_seconds = 1.5", "reserve = 3\non_demand = true"), "reserve must be 0"),
        (('handler = "hello.handler"', ""), "lacks 'handler'"),
        (('"hello.handler"', '"hello"'), "'module.function'"),
        (('files = ["rules"]', "files = [1]"), "a list of texts"),
        (('["rules", "limits"]', "1"), "a list of texts"),
        (('["rules", "limits"]', '["rules", "rules"]'), "each once"),
        (('["rules", "limits"]', '["limits"]'), "files 'rules' must be named in settings too"),
        (('["SHOP_KEY"]', '["shop"]'), "upper-case letters"),
        (('["SHOP_KEY"]', '["AWS_SECRET_ACCESS_KEY"]'), "none of AWS_"),
        (('["SHOP_KEY"]', str([f"A{number}" for number in range(65)])), "at most 64"),
        (('network = "none"', 'network = "lan"'), "must be one of none, loopback, internet"),
        (('path = "/hello/"', 'path = "hello"'), "plain path"),
        (('function = "hello"', 'function = "hullo"'), "there are: hello"),
        (('"a/b"', '"a"'), "no media type"),
        (('own = "files"', 'own = "../x"'), "outside the app's folder"),
        (('examples = ["/hello"]', "examples = 1"), "list of paths"),
        (("[sources]", "[sources"), "line 4"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """The message says which file, which place, and what would be right."""
    with pytest.raises(sdk_app.ManifestError, match="app.toml") as refused:
        _read(tmp_path, GOOD.replace(*change))

    assert said in str(refused.value)


FALLBACK = """
[fallback.card]
content_type = "image/png"
size = ["w", "h"]
files = { "10x20" = "card.png" }
"""


def test_a_route_names_what_stands_in(tmp_path: Path) -> None:
    """The files are there, and known by their rank."""
    (tmp_path / "card.png").write_bytes(b"png")
    app = _read(tmp_path, GOOD.replace("accept", 'fallback = "card"\naccept') + FALLBACK)
    assert app.routes[0].fallback == "card"
    assert app.fallbacks["card"].files == {"10x20": "card.png"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"card"', '"cart"'), "no [fallback.cart]; there are: card"),
        (('"image/png"', '"png"'), "no media type"),
        (('"10x20"', '"10"'), "must be 2 whole numbers"),
        (('"10x20"', '"10x*"'), "must be 2 whole numbers"),
        (('"10x20" = "card.png"', ""), "1 to 64 files"),
        (('["w", "h"]', '["w&", "h"]'), "no query parameter's name"),
        (('"card.png"', '"none.png"'), "a file of 1 to"),
        (('"card.png"', '"../card.png"'), "outside the app's folder"),
        (('path = "/hello/"', 'path = "/hello/"\ninternal = true'), "that clients ask"),
    ],
)
def test_what_is_wrong_with_it_is_named(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    """A stand-in that is not there when it is needed would be none."""
    (tmp_path / "card.png").write_bytes(b"png")
    text = GOOD.replace("accept", 'fallback = "card"\naccept') + FALLBACK
    with pytest.raises(sdk_app.ManifestError) as refused:
        _read(tmp_path, text.replace(*change))
    assert said in str(refused.value)


@pytest.mark.parametrize("kind", [sdk_app.Function, sdk_app.Route, Fallback, sdk_app.Command])
def test_every_key_is_documented(
    kind: type[sdk_app.Function | sdk_app.Route | Fallback | sdk_app.Command],
) -> None:
    """docs/reference/app-toml.md has a row for each."""
    page = Path(__file__).parents[3] / "docs" / "reference" / "app-toml.md"
    rows = re.findall(r"^\| `(\w+)` \|", page.read_text(), re.MULTILINE)

    assert {each.name for each in fields(kind)} <= set(rows)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[commands.Shout]\nmodule='a'\nabout='b'", "must be named in lower-case"),
        ("[commands.shout]\nmodule='a'", "'about'"),
        ("[commands.shout]\nmodule='../a'\nabout='b'", "must be a module's name"),
        ("[commands.shout]\nmodule='a'\nabout='b'\nmore=1", "unknown key 'more'"),
        ("commands = 1", "must be a table"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused(tmp_path: Path, table: str, said: str) -> None:
    """By its name."""
    with pytest.raises(sdk_app.ManifestError) as refused:
        _read(tmp_path, f"name = 'a'\n{table}\n[functions.b]\nhandler = 'b.c'\n")
    assert said in str(refused.value)


PERMITTED = """
name = "a"
[functions.b]
handler = "b.c"
state = "read"
[[functions.b.permissions]]
actions = ["kms:Sign", "kms:Get*"]
resources = ["arn:aws:kms:*:*:key/*"]
"""


def test_a_state_and_permissions_are_read(tmp_path: Path) -> None:
    """As they are written."""
    function = _read(tmp_path, PERMITTED).functions["b"]
    wanted = sdk_app.Permission(
        actions=("kms:Sign", "kms:Get*"), resources=("arn:aws:kms:*:*:key/*",)
    )
    assert (function.state, function.permissions) == ("read", (wanted,))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('"read"', '"all"'), "must be 'read' or 'write'"),
        (('"kms:Sign"', '"*"'), "actions '*' must be 'SERVICE:ACTION'"),
        (('["arn:aws:kms:*:*:key/*"]', "[]"), "resources must be 1 to 64 texts"),
        (('"arn:aws:kms:*:*:key/*"', '"key/*"'), "must be an ARN or '*'"),
        (('"arn:aws:kms:*:*:key/*"', '"arn:${aws:username}"'), "must be an ARN or '*'"),
        (("resources =", "resource ="), "unknown key 'resource'"),
        (("[[functions.b.permissions]]", "[functions.b.permissions]"), "must be 1 to 16 tables"),
        (("state", "reserve = 1\nstate"), "reserve must be 0"),
        (("state", "network = 'none'\nstate"), "reached by network 'internet'"),
    ],
)  # fmt: skip
def test_a_trust_that_cannot_be_meant_is_refused(
    tmp_path: Path, change: tuple[str, str], said: str
) -> None:
    """Before anything is served."""
    with pytest.raises(sdk_app.ManifestError) as refused:
        _read(tmp_path, PERMITTED.replace(*change))
    assert said in str(refused.value)


ANYTHING = st.recursive(
    st.text(max_size=12) | st.integers() | st.booleans() | st.sampled_from(["kms:Sign", "*"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["actions", "resources", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(ANYTHING)
def test_any_permissions_are_what_a_policy_can_say_or_refused(tables: object) -> None:
    """What passes has only actions of a service, and resources that are ARNs or everything."""
    try:
        read = permissions(tables, "[functions.b]")
    except sdk_app.ManifestError:
        return
    for each in read:
        assert each.actions
        assert all(":" in action for action in each.actions)
        assert all(text == "*" or text.startswith("arn:") for text in each.resources)


def test_a_folder_without_a_manifest_is_no_app(tmp_path: Path) -> None:
    """And the message says what an app is."""
    with pytest.raises(sdk_app.ManifestError, match="an app is a folder with an app.toml"):
        sdk_app.read(tmp_path)
