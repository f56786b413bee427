"""Normalising: examples of real spellings, and laws that hold for any text."""

from datetime import date

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contacts.names import split_name
from contacts.normalize import (
    Invalid,
    UnknownRegion,
    is_e164,
    name_key,
    normalize_birthday,
    normalize_date,
    normalize_email,
    normalize_phone,
    squeeze,
)


@pytest.mark.parametrize(
    ("given_phone", "region", "value"),
    [
        ("8 916 123-45-67", "RU", "+79161234567"),
        ("8 (916) 123 45 67", "KZ", "+79161234567"),
        ("9161234567", "RU", "+79161234567"),
        ("79161234567", "RU", "+79161234567"),
        ("+44 (0)20 7946 0018", "RU", "+442079460018"),
        ("020 7946 0018", "GB", "+442079460018"),
        ("907-465-3500 ext. 12", "US", "+19074653500"),
        ("tel:+1-201-555-0123;ext=5", "RU", "+12015550123"),
        ("+39 06 698 12345", "RU", "+390669812345"),
    ],
)
def test_phones_become_e164(given_phone, region, value):
    phone = normalize_phone(given_phone, region)
    assert (phone.value, phone.reason) == (value, None)
    assert phone.raw == given_phone


@pytest.mark.parametrize("given_phone", ["208-334-2100", "call me", "+", "+8 916 1234567", "12", "0" * 300])
def test_a_phone_that_cannot_be_read_is_kept_and_never_equals_e164(given_phone):
    phone = normalize_phone(given_phone, "RU")
    assert phone.reason
    assert phone.value
    assert not is_e164(phone.value)


def test_an_unknown_region_is_said():
    with pytest.raises(UnknownRegion):
        normalize_phone("8 916 1234567", "XX")


@given(st.from_regex(r"\+?[0-9]{1,15}", fullmatch=True), st.sampled_from(["RU", "US", "GB", "DE", "KZ", "UZ"]))
@example("88005553535", "RU")
@example("11234567890", "US")
def test_the_fast_path_agrees_with_the_library(digits, region):
    value = normalize_phone(digits, region).value
    try:
        number = phonenumbers.parse(digits, None if digits.startswith("+") else region)
    except phonenumbers.NumberParseException:
        assert not is_e164(value)
        return
    if is_e164(value):
        assert value == phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    elif 8 <= len(str(number.country_code)) + len(phonenumbers.national_significant_number(number)) <= 15:
        assert not phonenumbers.is_valid_number(number)


@given(st.text(), st.sampled_from(["RU", "US"]))
def test_normalising_a_normal_phone_changes_nothing(text, region):
    phone = normalize_phone(text, region)
    if is_e164(phone.value):
        assert normalize_phone(phone.value, region).value == phone.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (" Anna@Example.COM ", "anna@example.com"),
        ("mailto:a@x.org", "a@x.org"),
        ("Анна <a@x.org>", "a@x.org"),
        ("a@пример.рф", "a@xn--e1afmkfd.xn--p1ai"),
        ("a@XN--E1AFMKFD.xn--p1ai", "a@xn--e1afmkfd.xn--p1ai"),
        ("o'brien+tag@sub.example.co.uk", "o'brien+tag@sub.example.co.uk"),
    ],
)
def test_emails_compare(text, value):
    assert normalize_email(text) == value


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b.org", "a@b", "a b@c.org", "a..b@c.org", ".a@c.org", "a@c..org", "a@-c.org", "a,b@c.org"]
)
def test_what_is_no_email_is_refused_with_a_reason(text):
    with pytest.raises(Invalid) as refusal:
        normalize_email(text)
    assert refusal.value.reason.startswith("is ")


@given(st.text())
def test_email_either_refuses_or_is_settled(text):
    try:
        value = normalize_email(text)
    except Invalid:
        return
    assert normalize_email(value) == value
    assert len(value) <= 254


@given(st.text())
def test_squeezed_text_is_storable_and_settled(text):
    value = squeeze(text)
    assert "\0" not in value
    assert not any("\ud800" <= letter <= "\udfff" for letter in value)
    assert squeeze(value) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1961-05-05", date(1961, 5, 5)),
        ("19610505", date(1961, 5, 5)),
        ("5.05.1961", date(1961, 5, 5)),
        ("25/12/1990", date(1990, 12, 25)),
        ("12/25/1990", date(1990, 12, 25)),
        ("07/07/1990", date(1990, 7, 7)),
        ("1990-12-25T10:00:00Z", date(1990, 12, 25)),
    ],
)
def test_dates(text, value):
    assert normalize_date(text) == value


@pytest.mark.parametrize("text", ["03/04/1990", "2001-02-29", "1990", "soon", "0001-01-01"])
def test_doubtful_dates_are_refused(text):
    with pytest.raises(Invalid):
        normalize_date(text)


def test_a_birthday_may_have_no_year():
    assert normalize_birthday("--0412") == "--04-12"
    with pytest.raises(Invalid):
        normalize_birthday("--1341")


@pytest.mark.parametrize(
    ("full", "parts"),
    [
        ("Иванов Иван Петрович", ("Иван", "Иванов", "Петрович")),
        ("Иван Петрович Иванов", ("Иван", "Иванов", "Петрович")),
        ("Алиев Али Вели оглы", ("Али", "Алиев", "Вели оглы")),
        ("Mary Ann Smith", ("Mary", "Smith", "Ann")),
        ("Smith, John Q", ("John", "Smith", "Q")),
        ("Van R. Johnson II", ("Van", "Johnson II", "R.")),
        ("Cher", ("Cher", "", "")),
        ("", ("", "", "")),
    ],
)
def test_full_names_are_split(full, parts):
    assert split_name(full) == parts


def test_name_keys_forgive_case_order_and_yo():
    assert name_key("Пётр", "Иванов") == name_key("ИВАНОВ", "петр")
    assert name_key("Пётр", "Иванов") != name_key("Павел", "Иванов")
