"""The hub's people: a contact and the e-mails and phones that belong to it."""

from django.contrib.postgres.indexes import GinIndex, OpClass
from django.contrib.postgres.search import SearchVector, SearchVectorField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from contacts.identifiers import uuid7


class ContactQuerySet(models.QuerySet["Contact"]):
    def alive(self) -> "ContactQuerySet":
        return self.filter(deleted_at=None)


class Contact(models.Model):
    """One person. `email` and `phone` repeat the primary points, so that lists and queues need no join.

    `provenance` says per field who set it and when: {"first_name": {"by": "import:people.csv", "at": "…Z"}}.
    `version` grows with every change of a value; `deleted_at` makes the row a tombstone. The two hashes are keys of
    matching (contacts.store writes them): full name, and full name with company of contacts without e-mail.

    Written by contacts.services and contacts.bulk alone.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    first_name = models.CharField(_("first name"), max_length=255, blank=True, default="")
    last_name = models.CharField(_("last name"), max_length=255, blank=True, default="")
    middle_name = models.CharField(_("middle name"), max_length=255, blank=True, default="")
    email = models.CharField(_("e-mail"), max_length=254, null=True, blank=True)
    phone = models.CharField(_("phone"), max_length=32, null=True, blank=True)
    company = models.CharField(_("company"), max_length=255, blank=True, default="")
    job_title = models.CharField(_("job title"), max_length=255, blank=True, default="")
    birth_date = models.DateField(_("birth date"), null=True, blank=True)
    domain_id = models.CharField(_("domain id"), max_length=64, null=True, blank=True)
    page_id = models.CharField(_("page id"), max_length=64, null=True, blank=True)
    attributes = models.JSONField(_("attributes"), default=dict, blank=True)
    provenance = models.JSONField(_("provenance"), default=dict, blank=True, editable=False)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    updated_at = models.DateTimeField(_("updated"), default=timezone.now, editable=False)
    deleted_at = models.DateTimeField(_("deleted"), null=True, blank=True, editable=False)
    name_hash = models.BigIntegerField(default=0, editable=False)
    identity_hash = models.BigIntegerField(null=True, editable=False)
    search = models.GeneratedField(
        expression=SearchVector(
            "first_name", "last_name", "middle_name", "email", "phone", "company", "job_title", config="simple"
        ),
        output_field=SearchVectorField(),
        db_persist=True,
    )

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["-updated_at", "-id"]
        permissions = [("erase_contact", _("Can erase a person")), ("export_contact", _("Can export a person"))]
        indexes = [
            models.Index(F("updated_at").desc(), F("id").desc(), name="contact_recent"),
            models.Index("domain_id", name="contact_domain", condition=Q(domain_id__isnull=False)),
            models.Index("identity_hash", name="contact_identity", condition=Q(identity_hash__isnull=False)),
            GinIndex("search", name="contact_search"),
        ]

    def __str__(self) -> str:
        return " ".join(filter(None, [self.last_name, self.first_name, self.middle_name])) or self.email or str(self.id)


class ContactPoint(models.Model):
    """One e-mail or phone of a contact: normalised for comparing, and as it was given."""

    class Kind(models.TextChoices):
        EMAIL = "email", _("E-mail")
        PHONE = "phone", _("Phone")

    id = models.BigAutoField(primary_key=True)
    # The unique constraint below begins with the contact: an index of its own would only slow writing.
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="points", db_index=False)
    kind = models.CharField(_("kind"), max_length=5, choices=Kind.choices)
    value = models.CharField(_("value"), max_length=254)
    raw = models.CharField(_("as given"), max_length=254, blank=True, default="")
    label = models.CharField(_("label"), max_length=64, blank=True, default="")
    is_primary = models.BooleanField(_("primary"), default=False)
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("e-mail or phone")
        verbose_name_plural = _("e-mails and phones")
        ordering = ["kind", "position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["contact", "kind", "value"], name="point_once_per_contact"),
            models.UniqueConstraint(
                fields=["contact", "kind"], condition=Q(is_primary=True), name="one_primary_point_per_kind"
            ),
        ]
        # The operator class serves prefixes ("+7916…") as well as equality.
        indexes = [models.Index("kind", OpClass(F("value"), "text_pattern_ops"), name="point_value")]

    def __str__(self) -> str:
        return self.value


class ContactChange(models.Model):
    """What somebody changed in a contact: values before and after, by field: {"company": ["Acorn", "Oak"]}.

    What runs change is told by their own outcomes, and who first set a field by the contact's provenance.
    """

    id = models.BigAutoField(primary_key=True)
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="changes", db_index=False)
    by = models.CharField(_("by"), max_length=255)
    at = models.DateTimeField(_("time"), default=timezone.now)
    changes = models.JSONField(_("differences"), default=dict)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ["-id"]
        indexes = [models.Index(fields=["contact", "id"], name="change_of_contact")]

    def __str__(self) -> str:
        return f"{self.contact_id} {', '.join(self.changes)}"


class Duplicate(models.Model):
    """Two living contacts that may be one person, and what somebody has said about it.

    `by` says what they share: email, phone or name. A pair that was judged stays, so that nobody is asked again.
    """

    class Verdict(models.TextChoices):
        APART = "apart", _("two people")
        MERGED = "merged", _("merged")

    id = models.BigAutoField(primary_key=True)
    first = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+", verbose_name=_("first"))
    second = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+", verbose_name=_("second"))
    by = models.CharField(_("what they share"), max_length=20)
    found_at = models.DateTimeField(_("found"), default=timezone.now, db_default=Now())
    verdict = models.CharField(_("verdict"), max_length=6, choices=Verdict.choices, null=True, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    decided_by = models.CharField(_("decided by"), max_length=150, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("duplicate")
        verbose_name_plural = _("duplicates")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="duplicate_once_per_pair"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="duplicate_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first} = {self.second}?"


class Merge(models.Model):
    """Two contacts that were made one, with all that it takes to part them again.

    `before` and `after` are records of the kept contact (contacts.joining); `details` what other apps did with it.
    """

    id = models.BigAutoField(primary_key=True)
    kept = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="merges", verbose_name=_("kept contact"))
    gone = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="+", verbose_name=_("merged contact"))
    by = models.CharField(_("merged by"), max_length=150)
    at = models.DateTimeField(_("merged at"), default=timezone.now)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    details = models.JSONField(default=dict)
    parted_at = models.DateTimeField(_("parted again"), null=True, blank=True)
    parted_by = models.CharField(_("parted by"), max_length=150, blank=True, default="")

    class Meta:
        verbose_name = _("merge")
        verbose_name_plural = _("merges")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.gone} → {self.kept}"
