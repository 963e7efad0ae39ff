"""Card numbers: found where a person would see one, masked, and little else taken for one."""

import random
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
