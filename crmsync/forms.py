"""The login form."""

from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm

from crmsync.throttles import LoginAtThePage


class LoginForm(AuthenticationForm):
    """Says that an e-mail will do, and slows guessing down."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail or username")

    def clean(self) -> dict[str, Any]:
        request: Any = self.request
        view: Any = None
        if not LoginAtThePage().allow_request(request, view):
            raise ValidationError(_("Too many attempts: try again in a minute."))
        return super().clean()
