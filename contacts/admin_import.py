"""The admin's import page: upload → preview with recognised columns → import with every refused row."""

from __future__ import annotations

import tempfile
import time
import uuid
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.views import View

from contacts.importing.columns import ATTRIBUTE_PREFIX, IGNORE, TARGETS, Column
from contacts.importing.run import Accepted, Options, Reader, Refusal, import_file
from contacts.importing.text_files import UnusableFile
from contacts.models import Contact

SAMPLE_ROWS = 1_000
SHOWN_ROWS = 20
SHOWN_REFUSALS = 500
KEPT_SECONDS = 24 * 3600
_SALT = "contacts.import"
_SHOWN_FIELDS = ("first_name", "last_name", "middle_name", "email", "phone", "company", "job_title", "birth_date")


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that waits for its confirmation, under a random name nobody else can guess."""

    name: str
    stored: str

    @property
    def path(self) -> Path:
        return _folder() / self.stored

    def token(self) -> str:
        return signing.dumps([self.name, self.stored], salt=_SALT)

    @classmethod
    def from_token(cls, token: str) -> Upload:
        """Raises UnusableFile when the token is not ours, is too old, or its file is gone."""
        try:
            name, stored = signing.loads(token, salt=_SALT, max_age=KEPT_SECONDS)
        except signing.BadSignature as error:
            raise UnusableFile(_("The upload has expired: choose the file again.")) from error
        upload = cls(name, stored)
        if not upload.path.is_file():
            raise UnusableFile(_("The upload has expired: choose the file again."))
        return upload

    @classmethod
    def keep(cls, file: UploadedFile) -> Upload:
        suffix = Path(file.name or "").suffix.lower()
        upload = cls(Path(file.name or "contacts").name[:150], uuid.uuid4().hex + (suffix if suffix == ".vcf" else ""))
        with upload.path.open("wb") as target:
            for block in file.chunks():
                target.write(block)
        return upload


class ImportView(View):
    """GET shows the form, POST with a file the preview, POST with a token and `confirm` imports."""

    model_admin: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        if not (self.model_admin.has_add_permission(request) and self.model_admin.has_change_permission(request)):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest) -> HttpResponse:
        return self._page(request)

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            if "token" not in request.POST:
                file = request.FILES.get("file")
                if not isinstance(file, UploadedFile):
                    return self._page(request, error=_("Choose a CSV or vCard file."))
                return self._preview(request, Upload.keep(file), {})
            upload = Upload.from_token(request.POST["token"])
            chosen = _chosen(request)
            if "confirm" in request.POST:
                return self._import(request, upload, chosen)
            return self._preview(request, upload, chosen)
        except UnusableFile as error:
            return self._page(request, error=str(error))

    def _preview(self, request: HttpRequest, upload: Upload, chosen: dict[str, str]) -> HttpResponse:
        reader = Reader(upload.path, _options(upload, chosen))
        try:
            sample = list(islice(reader, SAMPLE_ROWS))
        finally:
            reader.close()
        accepted = [item for item in sample if isinstance(item, Accepted)]
        refused = [item for item in sample if isinstance(item, Refusal)]
        return self._page(
            request,
            upload=upload,
            columns=[_choice(index, column) for index, column in enumerate(reader.columns)],
            targets=[*((target, _label(target)) for target in TARGETS), (IGNORE, _("leave out"))],
            fields=[_label(field) for field in _SHOWN_FIELDS],
            rows=[_cells(item) for item in accepted[:SHOWN_ROWS]],
            sampled=len(sample),
            refused_count=len(refused),
            refused=refused[:SHOWN_ROWS],
        )

    def _import(self, request: HttpRequest, upload: Upload, chosen: dict[str, str]) -> HttpResponse:
        refused: list[Refusal] = []

        def keep(refusal: Refusal) -> None:
            if len(refused) < SHOWN_REFUSALS:
                refused.append(refusal)

        try:
            counters = import_file(upload.path, _options(upload, chosen), on_refused=keep)
        finally:
            upload.path.unlink(missing_ok=True)
        return self._page(request, upload=upload, counters=counters, refused=refused)

    def _page(self, request: HttpRequest, **context: Any) -> HttpResponse:
        site = self.model_admin.admin_site
        return TemplateResponse(
            request,
            "contacts/import.html",
            {**site.each_context(request), "title": _("Import contacts"), **context},
        )


def _label(target: str) -> str:
    """A column's target in the reader's words."""
    if target == "name":
        return _("Full name")
    if target == "id":
        return _("Contact id")
    return capfirst(str(getattr(Contact._meta.get_field(target), "verbose_name", target)))


def _options(upload: Upload, chosen: dict[str, str]) -> Options:
    return Options(source=f"import:{upload.name}", region=settings.PHONE_REGION, columns=chosen)


def _chosen(request: HttpRequest) -> dict[str, str]:
    headers, targets = request.POST.getlist("header"), request.POST.getlist("target")
    return {header: target for header, target in zip(headers, targets, strict=False) if header}


def _choice(index: int, column: Column) -> dict[str, Any]:
    own = [column.target] if column.target.startswith(ATTRIBUTE_PREFIX) else []
    keep = ATTRIBUTE_PREFIX + "_".join(column.header.lower().split())[:64]
    return {"index": index, "header": column.header, "target": column.target, "extra": own or [keep]}


def _cells(item: Accepted) -> list[Any]:
    record = item.incoming.record
    return [item.line, *(getattr(record, field) or "" for field in _SHOWN_FIELDS)]


def _folder() -> Path:
    """Where uploads wait, readable by this user alone. What was never confirmed goes after a day."""
    folder = Path(tempfile.gettempdir()) / f"{settings.ROOT_URLCONF.partition('.')[0]}-imports"
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > KEPT_SECONDS:
            path.unlink(missing_ok=True)
    return folder
