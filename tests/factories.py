"""Contacts for tests, with e-mails and phones that agree with their points."""

import factory

from contacts.models import Contact, ContactPoint
from contacts.records import ContactRecord
from contacts.store import hash_of, identity_text
from contacts.text import name_key


class ContactFactory(factory.django.DjangoModelFactory):
    """A contact; `email=None` or `phone=None` makes one without. Its points follow from the two."""

    class Meta:
        model = Contact
        skip_postgeneration_save = True

    first_name = factory.Sequence(lambda number: f"Anna{number}")
    last_name = "Petrova"
    email = factory.Sequence(lambda number: f"anna{number}@example.com")
    phone = factory.Sequence(lambda number: f"+7916{number:07d}")
    name_hash = factory.LazyAttribute(lambda contact: hash_of(_name(contact)))
    identity_hash = factory.LazyAttribute(
        lambda contact: None if contact.email else hash_of(identity_text(_name(contact), contact.company.casefold()))
    )
    company = ""
    middle_name = ""

    @factory.post_generation
    def points(contact, create, extracted, **kwargs):
        for kind, value in (("email", contact.email), ("phone", contact.phone)):
            if create and value:
                ContactPoint.objects.create(contact=contact, kind=kind, value=value, raw=value, is_primary=True)


def _name(contact) -> str:
    return name_key(contact.first_name, contact.last_name, contact.middle_name)


def record_of(email: str = "", **values) -> ContactRecord:
    """A record with at most one e-mail, for tests that need little."""
    from contacts.records import Point

    emails = (Point(email, email, "", True),) if email else ()
    return ContactRecord(emails=emails, **values)
