"""Card numbers: found where a person would see one, masked, and little else taken for one."""

import random
import re
import unicodedata
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stormwatch.dead_letters import card_numbers

# Numbers that issuers publish for tests.
VISA, AMEX, MASTERCARD = "4111111111111111", "378282246310005", "2223003122003222"
TEST_NUMBERS = [
    VISA, AMEX, MASTERCARD, "5555555555554444", "4222222222222", "6011111111111117",
    "3530111333300000", "30569309025904", "6304000000000000", "4000000000000000006",
]  # fmt: skip


@pytest.mark.parametrize("number", TEST_NUMBERS)
@pytest.mark.parametrize(
    "around", ["%s", '{"a":"%s"}', '{"a":%s}', "paid with %s.", "order-%s", "a\\n%s,", "ü%s"]
)
def test_a_card_number_is_found_and_masked(number, around):
    value = (around % number).encode()
    assert card_numbers.holds_card(value)
    masked = card_numbers.mask(value)
    assert masked == (around % ("*" * (len(number) - 4) + number[-4:])).encode()
    assert not card_numbers.holds_card(masked)


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        (b"4111 1111 1111 1111", b"**** **** **** 1111"),
        (b"4111-1111-1111-1111", b"****-****-****-1111"),
        (b"3782 822463 10005", b"**** ****** *0005"),
        (b"5105105105105100 4111111111111111", b"************5100 ************1111"),
    ],
)
def test_groups_and_several(value, masked):
    assert card_numbers.mask(value) == masked


@pytest.mark.parametrize(
    "value",
    [
        b"4111111111111112",  # check digit
        b"1795252530123", b"1795252530123456",  # times
        b"0.4111111111111111", b"4111111111111111.5", b"1.4111111111111111e-3",  # decimals
        b"ab4111111111111111cd", b"x4111111111111111",  # hexadecimal, glued
        b"41111111111111110000", b"411111111111",  # too long, too short
        b"9111111111111111", b"0000000000000000", b"2721000000000000",  # no issuer
        b"4111 1111 11111111", b"4111-1111 1111-1111",  # no card is printed so
        b"2026-11-21T09:15:30.123456Z", b"",
    ],
)  # fmt: skip
def test_what_is_no_card_number(value):
    assert not card_numbers.holds_card(value)
    assert card_numbers.mask(value) == value


@given(st.binary(max_size=300), st.sampled_from(TEST_NUMBERS), st.binary(max_size=300))
def test_masking_keeps_lengths_and_can_be_repeated(before, number, after):
    value = before + b" " + number.encode() + b" " + after
    masked = card_numbers.mask(value)
    assert len(masked) == len(value)
    assert number.encode() not in masked or not card_numbers.holds_card(value)
    assert card_numbers.mask(masked) == masked


def test_random_ids_are_hardly_ever_taken_for_one():
    rng = random.Random(7)
    ids = [uuid.UUID(int=rng.getrandbits(128)) for _ in range(20_000)]
    assert not [i for i in ids if card_numbers.holds_card(str(i).encode())]
    assert not [i for i in ids if card_numbers.holds_card(i.hex.encode())]


def escaped(text: str, which: str = "0123456789") -> str:
    return "".join(f"\\u{ord(c):04X}" if c in which else c for c in text)


@pytest.mark.parametrize("number", TEST_NUMBERS)
@pytest.mark.parametrize(
    "written",
    [
        escaped,  # each digit as JSON may escape it
        lambda n: escaped(n, "1357"),
        lambda n: escaped(n).lower(),
        lambda n: escaped(n).replace("\\", "\\\\"),  # a JSON text within a JSON text
        lambda n: n.translate({ord(d): ord(d) + 0xFEE0 for d in "0123456789"}),  # full width
        lambda n: n.translate({ord(d): ord(d) + 0x0630 for d in "0123456789"}),  # Arabic
        lambda n: n[:4] + "".join(chr(ord(d) + 0xFEE0) for d in n[4:]),
    ],
)
@pytest.mark.parametrize("around", ['{"a":"%s"}', "paid with %s.", "Bäcker %s", '{"ä": "%s"}'])
def test_a_number_is_found_and_masked_however_its_digits_are_written(number, written, around):
    value = (around % written(number)).encode()
    assert card_numbers.holds_card(value)
    masked = card_numbers.mask(value)
    assert masked.count(b"*") == len(number) - 4
    assert not card_numbers.holds_card(masked)
    assert card_numbers.mask(masked) == masked
    last = re.findall(r"\\+u.{4}|.", written(number))[-4:]
    assert masked.decode() == around % ("*" * (len(number) - 4) + "".join(last))
    assert card_numbers.mask_text(value.decode()) == masked.decode()


@pytest.mark.parametrize("gap", [" ", "-", "\u00a0", "\u202f", "\u2007", "\u2011", "–", "−", "　"])
@pytest.mark.parametrize("written", [str, lambda gap: escaped(gap, gap)])
def test_groups_may_have_any_space_or_dash_between_them(gap, written):
    groups = ["4111", "1111", "1111", "1111"]
    value = written(gap).join(groups).encode()
    assert card_numbers.holds_card(value)
    assert card_numbers.mask(value).decode() == written(gap).join(["****"] * 3 + ["1111"])


@given(st.text(max_size=60), st.text(max_size=60))
def test_what_json_gives_and_how_it_is_written_are_looked_at_alike(before, after):
    """Also where the other text has escapes, quotes, surrogates and digits of its own."""
    import json

    text = f"{before} 4111111111111111 {after}"
    if not card_numbers.holds_card(text.encode(errors="surrogatepass")):
        return  # a digit stands beside it
    for ensure_ascii in (True, False):
        value = json.dumps(text, ensure_ascii=ensure_ascii).encode(errors="surrogatepass")
        assert card_numbers.holds_card(value)
        assert "4111111111111111" not in json.loads(
            card_numbers.mask(value).decode(errors="surrogatepass")
        )


@pytest.mark.parametrize("cut", range(1, 7))
def test_the_end_of_an_escaped_number_that_was_cut_off_is_masked(cut):
    value = escaped("x 4111111111").encode()[:-cut]
    left = card_numbers.mask_end(value)
    assert b"u003" not in left.replace(b"\\u0020", b"")
    assert left.startswith(b"x ")


def test_bytes_that_are_no_text_stay_as_they_are_around_a_masked_number():
    value = b"\xff\xc3(\\u0034111111111111111 \x80 \xef\xbc\x94"
    assert card_numbers.mask(value) == b"\xff\xc3(************1111 \x80 \xef\xbc\x94"


def test_every_digit_and_space_of_unicode_s_first_plane_is_known():
    others = [chr(point) for point in range(0x80, 0x10000)]
    digits = {one: str(unicodedata.decimal(one)) for one in others if one.isdecimal()}
    spaces = {one for one in others if unicodedata.category(one) == "Zs"}
    known = card_numbers._LIKE
    assert {one: like for one, like in known.items() if like.isdigit()} == digits
    assert {one for one, like in known.items() if like == " "} == spaces
