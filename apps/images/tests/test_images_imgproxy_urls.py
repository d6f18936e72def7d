"""imgproxy's URLs: signatures, sources, presets, expiry; no text is ever more than refused."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import imgproxy_urls as asking
import recipe as recipes
from dialects.imgproxy import aes, configured, locating, signature
from refusals import Refusal

KEY, SALT = "736563726574", "68656C6C6F"
SIGNED = "/rs:fill:300:400:0/g:sm/aHR0cDovL2V4YW1w/bGUuY29tL2ltYWdl/cy9jdXJpb3NpdHku/anBn.png"
SIGNATURE = "oKfUtW34Dvo2BGQehJFR4Nr0_rIjOtdtzJ3QFsUcXH8"
ENCRYPTION_KEY = "1eb5b0e971ad7f45324c1bb15c947cb207c43152fa5c6c7f35c4f36e0c18e0f1"
ENCRYPTED = "p5VjorNdhs7mRRw8gA9TWoRlGci3l1kuzqN43UQlRaRIQ0qtBKW3qFABIsx-ZRz_cVc8iVTYbhsNsxNBL1BHaQ"
KEYS = {"IMGPROXY_KEY": KEY, "IMGPROXY_SALT": SALT}
WEB = {"IMGPROXY_ALLOWED_SOURCES": "http://example.com/,local://"}


def sign(path: str, key: str = KEY, salt: str = SALT, size: int = 32) -> str:
    mac = hmac.digest(bytes.fromhex(key), bytes.fromhex(salt) + path.encode(), "sha256")
    return urlsafe_b64encode(mac[:size]).decode().rstrip("=")


def test_the_published_signature_is_ours() -> None:
    """The vector of imgproxy's documentation, in full and through the dialect."""
    made = asking.decision(SIGNATURE + SIGNED, asking.world(KEYS | WEB)).recipe
    assert (made.source, made.path) == ("~http", "example.com/images/curiosity.jpg")
    assert recipes.spell_ops((*made.ops, made.out)) == (
        "resize:outside,300,400;cut:300,400,attention;as:png"
    )


@pytest.mark.parametrize(
    "given",
    [
        "",
        "_",
        "unsafe",
        SIGNATURE[:-1],
        SIGNATURE + "=",
        SIGNATURE[:22],
        SIGNATURE[:-1] + "9",
        SIGNATURE.lower(),
        "é" * 43,
        sign(SIGNED, key=KEY + "01"),
        sign(SIGNED, salt=""),
        sign(SIGNED[1:]),
    ],
)
def test_any_other_signature_is_refused(given: str) -> None:
    """Cut, padded, of another key, another salt, another path: 403, and no word of the key."""
    refusal = asking.refused(given + SIGNED, asking.world(KEYS | WEB))
    assert refusal is not None
    assert refusal.status == 403
    assert KEY not in str(refusal)


def test_keys_rotate_and_signatures_may_be_short_or_trusted() -> None:
    """Any pair of the lists signs, by index; a set size is cut to, and no other is taken."""
    lists = {"IMGPROXY_KEY": f"00ff,{KEY}", "IMGPROXY_SALT": f"11,{SALT}"}
    where = asking.world(lists | WEB)
    for key, salt in (("00ff", "11"), (KEY, SALT)):
        assert asking.refused(sign(SIGNED, key, salt) + SIGNED, where) is None
    assert asking.refused(sign(SIGNED, "00ff", SALT) + SIGNED, where)
    short = asking.world(KEYS | WEB | {"IMGPROXY_SIGNATURE_SIZE": "8"})
    assert asking.refused(sign(SIGNED, size=8) + SIGNED, short) is None
    assert asking.refused(SIGNATURE + SIGNED, short)
    trusted = asking.world(KEYS | WEB | {"IMGPROXY_TRUSTED_SIGNATURES": "partner,other"})
    assert asking.refused("partner" + SIGNED, trusted) is None
    assert asking.refused("partne" + SIGNED, trusted)


@pytest.mark.parametrize(
    ("development", "unsigned", "status"),
    [(True, None, 0), (False, None, 403), (True, False, 403), (False, True, 0)],
)
def test_without_a_key_unsigned_is_for_development(
    *, development: bool, unsigned: bool | None, status: int
) -> None:
    """Or where the deployment says so; never where there is a key."""
    table = {} if unsigned is None else {"unsigned": unsigned}
    path = f"unsafe/w:30/{asking.FILE}"
    refusal = asking.refused(path, asking.world(development=development, **table))
    assert (refusal.status if refusal else 0) == status
    keyed = asking.refused(path, asking.world(KEYS, development=development, **table))
    assert keyed is not None
    assert keyed.status == 403


def test_a_url_without_a_signature_is_not_taken_for_one() -> None:
    """Its first option would be."""
    refusal = asking.refused(f"w:30/{asking.FILE}")
    assert refusal is not None
    assert refusal.status == 403


def test_the_published_encrypted_source_is_read() -> None:
    """The vector of imgproxy's documentation; slashes anywhere, and a format behind it."""
    where = asking.world(
        WEB | {"IMGPROXY_SOURCE_URL_ENCRYPTION_KEY": f"{'00' * 16},{ENCRYPTION_KEY}"}
    )
    cut = f"{ENCRYPTED[:20]}/{ENCRYPTED[20:]}.webp"
    for file in (f"enc/{ENCRYPTED}", f"enc/{cut}"):
        made = asking.recipe("", where, file)
        assert (made.source, made.path) == ("~http", "example.com/images/curiosity.jpg")
    assert made.out.fm == "webp"
    for file in (f"enc/{ENCRYPTED[:-2]}", f"enc/{ENCRYPTED[4:]}", "enc/AAAA", f"enc/{'A' * 64}"):
        refusal = asking.refused(f"_/{file}", where)
        assert refusal is not None
        assert refusal.status == 404
        assert "example.com" not in str(refusal)
    assert asking.refused(f"_/enc/{ENCRYPTED}", asking.world(WEB))


@pytest.mark.parametrize(
    ("key", "block", "plain"),
    [
        ("000102030405060708090a0b0c0d0e0f", "69c4e0d86a7b0430d8cdb78070b4c55a", 16),
        (
            "000102030405060708090a0b0c0d0e0f1011121314151617",
            "dda97ca4864cdfe06eaf70a0ec0d7191", 16,
        ),
        (
            "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
            "8ea2b7ca516745bfeafc49904b496089", 16,
        ),
    ],
)  # fmt: skip
def test_aes_is_that_of_the_standard(key: str, block: str, plain: int) -> None:
    """FIPS 197, appendix C. The first block's vector is chosen so that the padding fits."""
    wanted = bytes.fromhex("00112233445566778899aabbccddeeff")
    padded = bytes([16]) * 16
    iv = bytes(a ^ b for a, b in zip(wanted, padded, strict=True))
    assert aes.decrypt(bytes.fromhex(key), iv + bytes.fromhex(block)) == b""
    assert len(wanted) == plain


@given(st.binary(max_size=80))
def test_any_bytes_are_decrypted_or_unreadable(data: bytes) -> None:
    """Nothing else comes of them."""
    with suppress(aes.Unreadable):
        aes.decrypt(bytes(16), data)


@pytest.mark.parametrize(
    ("file", "source", "path", "fm"),
    [
        ("plain/local:///pics/a%20b.jpg@png", "pics", "a b.jpg", "png"),
        ("plain/local:///pics/a%2520b.jpg", "pics", "a b.jpg", "source"),
        ("plain/local:/pics/x/a.jpg", "pics", "x/a.jpg", "source"),
        ("plain/http:/example.com/a.jpg%3Fv=1@webp", "~http", "example.com/a.jpg?v=1", "webp"),
        ("plain/http://EXAMPLE.com:80/a%40b.jpg", "~http", "example.com/a@b.jpg", "source"),
        (asking.base64("local:///pics/ä.jpg") + ".gif", "pics", "ä.jpg", "gif"),
        (asking.base64("local:///pics/a.jpg") + "==", "pics", "a.jpg", "source"),
    ],
)
def test_sources_are_spelled_in_three_ways(file: str, source: str, path: str, fm: str) -> None:
    """Plain and encoded, with slashes that proxies took away, and the format behind them."""
    made = asking.recipe("", asking.world(WEB), file)
    assert (made.source, made.path, made.out.fm) == (source, path, fm)


def test_encoded_sources_may_end_in_a_name_for_people() -> None:
    """Where the deployment says so, and only then."""
    file = asking.base64("local:///pics/a.jpg") + ".png/my-cat.webp"
    made = asking.recipe("", asking.world({"IMGPROXY_BASE64_URL_INCLUDES_FILENAME": "1"}), file)
    assert (made.path, made.out.fm) == ("a.jpg", "png")
    assert asking.refused(f"_/{file}")


@pytest.mark.parametrize(
    "file",
    [
        "plain/local:///pics/../a.jpg", "plain/local:///pics/%252e%252e/a.jpg",
        "plain/local:///other/a.jpg", "plain/local:///pics", "plain/local:///pics/a@b@png",
        "plain/local:///pics/a.jpg@nope", "plain/local:///pics/%FF", "plain/local:///pics/%zz",
        "plain/file:///etc/passwd", "plain/http://other.example/a.jpg", "plain/", "plain",
        "plain/http://example.com@evil.example/a.jpg", "plain/http://example.com/../a.jpg",
        "a.b.c", "!", "AAAAA", asking.base64("local:///pics/\0"), "", "plain/~http/example.com/a",
        "fit/300/200/no/0/" + asking.FILE,
    ],
)  # fmt: skip
def test_what_is_no_source_is_not_found(file: str) -> None:
    """404 for all of them: it does not tell which."""
    refusal = asking.refused(f"_/{file}", asking.world(WEB))
    assert refusal is not None
    assert refusal.status == 404


def test_the_base_is_put_before_what_does_not_begin_with_it() -> None:
    """``IMGPROXY_BASE_URL``; and its list of allowed sources holds for folders too."""
    where = asking.world({"IMGPROXY_BASE_URL": "local:///pics/"})
    assert asking.recipe("", where, "plain/a.jpg").path == "a.jpg"
    assert asking.recipe("", where, asking.FILE).path == "a.jpg"
    only = asking.world({"IMGPROXY_ALLOWED_SOURCES": "local:///pics/public/"})
    assert asking.recipe("", only, "plain/local:///pics/public/a.jpg")
    assert asking.refused(f"_/{asking.FILE}", only)


def test_presets_are_applied_where_they_are_named() -> None:
    """``default`` first; later options win; in only-presets mode the first segment names them."""
    presets = {"IMGPROXY_PRESETS": "default=q:40/w:10,small=rs:fit:30:20,both=pr:small/h:25"}
    where = asking.world(presets)
    assert asking.recipe("", where).out.quality == 40
    assert asking.ops("", where) == "resize:inside,10"
    assert asking.ops("pr:small", where) == "resize:inside,30,20"
    assert asking.ops("pr:both/w:31", where) == "resize:inside,31,25"
    only = asking.world({**presets, "IMGPROXY_ONLY_PRESETS": "true"})
    assert asking.ops("small:both", only) == "resize:inside,30,25"
    assert asking.refused(f"_/w:5/{asking.FILE}", only)
    assert asking.refused(f"_/pr:none/{asking.FILE}", where)
    table = asking.world(imgproxy={"presets": {"small": "w:7"}})
    assert asking.ops("pr:small", table) == "resize:inside,7"


def test_presets_that_name_each_other_end() -> None:
    """One that is being applied is not begun again, as in imgproxy; and their number is bounded."""
    loop = asking.world({"IMGPROXY_PRESETS": "a=w:1/pr:b,b=h:2/pr:a:b"})
    assert asking.ops("pr:a", loop) == "resize:inside,1,2"
    many = ",".join(f"p{n}=pr:p{n + 1}:p{n + 1}:p{n + 1}" for n in range(9)) + ",p9=w:1"
    with pytest.raises(configured.ConfiguredError, match="more than 300 options"):
        asking.refused("_/a", asking.world({"IMGPROXY_PRESETS": many}))


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("IMGPROXY_KEY", "zz", "hexadecimal"),
        ("IMGPROXY_KEY", "5ec2e7", "in pairs"),
        ("IMGPROXY_PRESETS", "a", "the preset 'a'"),
        ("IMGPROXY_PRESETS", "a=nope:1", "there is no option 'nope'"),
        ("IMGPROXY_SIGNATURE_SIZE", "33", "from 1 to 32"),
        ("IMGPROXY_SOURCE_URL_ENCRYPTION_KEY", "5ec2e7", "16, 24 or 32"),
        ("IMGPROXY_WATERMARK_PATH", "/srv/mark.png", "NAME/path"),
        ("IMGPROXY_QUALITY", "many", "whole number"),
    ],
)
def test_a_mistake_in_the_configuration_is_named(name: str, value: str, said: str) -> None:
    """By the variable, and no key is repeated."""
    with pytest.raises(configured.ConfiguredError, match=said) as caught:
        configured.read({name: value}, {})
    assert "5ec2e7" not in str(caught.value)
    for key in ("kye", "allowed_sources"):
        with pytest.raises(configured.ConfiguredError, match="unknown key"):
            configured.read({}, {key: "1"})


def test_no_secret_is_in_what_is_shown_of_the_configuration() -> None:
    """Not in its repr, whatever prints it."""
    shown = repr(configured.read(KEYS | {"IMGPROXY_TRUSTED_SIGNATURES": "partner"}, {}))
    assert bytes.fromhex(KEY).decode() not in shown
    assert "partner" not in shown


def test_a_url_ends_when_it_says_so() -> None:
    """404 from then on; the picture itself is that of other URLs, whenever they end."""
    gone = asking.refused(f"_/exp:{int(asking.NOW) - 1}/{asking.FILE}")
    assert gone is not None
    assert (gone.status, gone.code) == (404, "expired")
    for left in (100_000, 60, 0):
        found = asking.decision(f"_/exp:{int(asking.NOW) + left}/{asking.FILE}")
        assert found.until == asking.NOW + left
        assert found.recipe == asking.recipe("w:0")
    assert asking.decision(f"_/exp:0/{asking.FILE}").until is None


words = st.sampled_from(
    [*"_-:@/.%", "plain", "enc", "rs", "fill", "w", "pr", "default", "local:///pics/a.jpg", "300",
     "1e309", "NaN", "-0", "g", "sm", "fp", "ba", "wmt", "\0", "é", "%3A", "%zz", "f", "best"]
)  # fmt: skip
paths = st.text(max_size=60) | st.lists(words, max_size=40).map("".join)
where = asking.world(WEB | {"IMGPROXY_PRESETS": "default=w:20,a=pr:a/h:1"})


@given(path=paths, whole=st.booleans())
@example(path="w:1/" * 10_000, whole=True)
@example(path="-/" * 10_000, whole=True)
@example(path="/" * 10_000, whole=True)
@example(path="ba:1" + ":0.1" * 1_500 + "/" + asking.FILE, whole=True)
@example(path="fq" + ":jpg:1" * 1_000 + "/" + asking.FILE, whole=True)
def test_any_path_is_a_decision_or_a_refusal(path: str, *, whole: bool) -> None:
    """Never another exception, and a refusal is 403 or 404."""
    refusal = asking.refused(f"_/{path}" if whole else path, where)
    assert refusal is None or refusal.status in (403, 404)


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_is_signed_or_not(given: str, signed: str) -> None:
    """Nothing but a refusal comes of a signature."""
    try:
        signature.check(given, signed, pairs=[(b"k", b"s")], trusted=["é"])
    except Refusal as refusal:
        assert refusal.status == 403


@given(st.text(max_size=80))
def test_any_url_is_a_place_or_not_found(url: str) -> None:
    """In a folder it is never above it."""
    try:
        _, path = locating.place(f"local:///pics/{url}")
    except Refusal as refusal:
        assert refusal.status == 404
    else:
        assert ".." not in path.split("/")
