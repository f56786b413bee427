"""import_contacts: messy files, encodings, vCards, counters and exit codes."""

import csv
import io
import json
import random

import pytest
from django.core.management import CommandError, call_command

from contacts.importing.columns import recognise
from contacts.importing.run import Options, import_file
from contacts.importing.text_files import UnusableFile
from contacts.models import Contact

pytestmark = pytest.mark.django_db


def imported(path, **options):
    refused = []
    counters = import_file(path, Options("test", "RU", **options), on_refused=refused.append)
    return counters, refused


def command(*arguments):
    out, err = io.StringIO(), io.StringIO()
    code = 0
    try:
        call_command("import_contacts", *map(str, arguments), "--json", stdout=out, stderr=err)
    except SystemExit as stop:
        code = stop.code
    return code, json.loads(out.getvalue()), err.getvalue()


def messy(seed, rows=300):
    """A file of invented people: odd spellings, doubles, empty cells, several phones."""
    chance = random.Random(seed)
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";")
    writer.writerow(["Телефон 2", "Фамилия", "E-mail", "Имя", "Телефон", "Компания", "Дата рождения"])
    for _ in range(rows):
        email = f" User{chance.randrange(rows)}@Example.com " if chance.random() < 0.7 else ""
        phone = f"8 (916) {chance.randrange(100):03}-45-67" if chance.random() < 0.6 else ""
        writer.writerow(
            [
                chance.choice(["", "доб. 5", "+44 20 7946 0018", "208-334-2100"]),
                chance.choice(["Иванов", "Ёлкин", 'О"Коннор', "Smith; Jones"]),
                email,
                f"Имя{chance.randrange(40)}",
                phone,
                chance.choice(["", "ООО «Ромашка»", "Acme, Inc."]),
                chance.choice(["", "1.02.1980", "1980-02-01"]),
            ]
        )
    return out.getvalue()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_a_messy_file_imported_twice_changes_nothing(tmp_path, seed, encoding):
    path = tmp_path / "people.csv"
    path.write_text(messy(seed), encoding=encoding, errors="replace")
    first, refused = imported(path, chunk_size=40)
    assert refused == []
    assert first.created > 0
    before = list(Contact.objects.order_by("id").values())
    again, _ = imported(path, chunk_size=70)
    assert (again.created, again.updated, again.unchanged) == (0, 0, 300)
    assert list(Contact.objects.order_by("id").values()) == before


def test_broken_rows_cost_only_themselves(tmp_path):
    path = tmp_path / "people.csv"
    lines = [
        b"first_name,email,phone",
        b"Ann,a@x.org,8 916 1234567",
        b"too,few",
        b"one,two@x.org,3,4",
        b'"never closed,b@x.org,',
        b"Bea,b@x.org,",
        b"NUL,n\0@x.org,",
        b"Carl,not an email,",
        b"D" + b"d" * 200_000 + b",d@x.org,",
        b",,",
        b'"Two\nlines",e@x.org,',
        b"extra,f@x.org,,,",
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    counters, refused = imported(path)
    assert counters.created == 4
    assert [item.line for item in refused] == [3, 4, 5, 7, 8, 9]
    assert "2 columns, the header has 3" in refused[0].reason
    assert "never closed" in refused[2].reason
    assert "NUL" in refused[3].reason
    assert 'email "not an email"' in refused[4].reason
    assert set(Contact.objects.values_list("first_name", flat=True)) == {"Ann", "Bea", "Two lines", "extra"}


def test_the_command_counts_and_says_by_its_exit_code(tmp_path):
    path, errors = tmp_path / "people.csv", tmp_path / "errors.csv"
    path.write_text("Name\tMail\tColour\nAnn Bell\ta@x.org\tred\nBea\tb\tblue\n")
    code, counters, err = command(path, "--errors", errors, "--map", "Colour=attributes.colour", "--source", "crm")
    assert code == 1
    names = (
        "run created updated unchanged skipped failed conflicts requests retries rate_limit_hits duration_ms refused"
    )
    assert counters.keys() == {*names.split(), "refused"}
    assert (counters["run"], counters["created"], counters["refused"]) == (None, 1, 1)
    assert "line 3:" in err
    assert errors.read_text().splitlines()[1].startswith("3,")
    contact = Contact.objects.get()
    assert (contact.first_name, contact.last_name, contact.attributes) == ("Ann", "Bell", {"colour": "red"})
    assert contact.provenance["attributes"]["by"] == "crm"


@pytest.mark.parametrize(
    ("content", "arguments", "sentence"),
    [
        (b"email\na@x.org\n", ["--map", "email=nonsense"], "Known fields: first_name"),
        (b"email\na@x.org\n", ["--map", "mail=email"], "There is no column 'mail'"),
        (b"email\na@x.org\n", ["--map", "email"], "theirs=ours"),
        (b"email\na@x.org\n", ["--region", "XX"], "country code"),
        (b"colour\nred\n", [], "no column that is known"),
        (b"", [], "is empty"),
        (bytes(range(256)) * 40, [], "not a text file"),
    ],
)
def test_a_file_or_call_of_no_use_is_refused_in_a_sentence(tmp_path, content, arguments, sentence):
    path = tmp_path / "people.csv"
    path.write_bytes(content)
    with pytest.raises(CommandError) as refusal:
        command(path, *arguments)
    assert refusal.value.returncode == 2
    assert sentence in str(refusal.value)


def test_columns_are_recognised():
    headers = ["ФИО", "Phone 1 - Value", "Phone 1 - Label", "phone_district", "E-mail 2 - Value", "email_opt_in", "Др."]
    assert [(column.target, column.label) for column in recognise(headers)] == [
        *(("name", ""), ("phone", ""), ("-", ""), ("phone", "district"), ("email", ""), ("-", ""), ("birth_date", "")),
    ]
    with_parts = recognise(["name", "given_name", "family_name"])
    assert [column.target for column in with_parts] == ["-", "first_name", "last_name"]
    assert recognise(["Любимый цвет"], keep_unknown=True)[0].target == "attributes.любимый_цвет"
    with pytest.raises(UnusableFile):
        recognise(["email"], {"email": "attributes."})


CARDS = """BEGIN:VCARD
VERSION:3.0
N:Иванов;Иван;Петрович;;
item1.EMAIL;TYPE=INTERNET:ivan@x.org
item1.X-ABLabel:_$!<Home>!$_
EMAIL;TYPE=pref,work:work@x.org
TEL;TYPE=CELL:8 (916) 123-45-67
ORG:ООО «Ромашка»;Отдел
BDAY:--0412
PHOTO;ENCODING=b:AAAA
 BBBB
 CCCC
TITLE:Очень длинная
  должность
END:VCARD
BEGIN:VCARD
VERSION:4.0
FN:Mary Ann Smith
TEL;VALUE=uri;PREF=1:tel:+1-201-555-0123;ext=5
BDAY:19610505
END:VCARD
BEGIN:VCARD
VERSION:2.1
N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=D0=98=D0=B2=
=D0=B0=D0=BD;=D0=9F
EMAIL:bad address
END:VCARD
BEGIN:VCARD
FN:Unfinished
"""


def test_vcards_are_read(tmp_path):
    path = tmp_path / "people.vcf"
    path.write_bytes(CARDS.replace("\n", "\r\n").encode())
    counters, refused = imported(path)
    assert (counters.created, counters.refused) == (2, 2)
    assert [item.line for item in refused] == [22, 28]
    ivan = Contact.objects.get(last_name="Иванов")
    assert (ivan.middle_name, ivan.email, ivan.phone) == ("Петрович", "work@x.org", "+79161234567")
    assert (ivan.company, ivan.job_title) == ("ООО «Ромашка»", "Очень длинная должность")
    assert ivan.attributes == {"birthday": "--04-12"}
    assert list(ivan.points.filter(kind="email").values_list("value", "label")) == [
        ("work@x.org", "work"),
        ("ivan@x.org", "home"),
    ]
    mary = Contact.objects.get(last_name="Smith")
    assert (mary.phone, str(mary.birth_date)) == ("+12015550123", "1961-05-05")
    assert imported(path)[0].unchanged == 2
