"""The login form."""

from typing import Any

from django.utils.translation import gettext_lazy as _
from unfold.forms import AuthenticationForm


class LoginForm(AuthenticationForm):
    """Says that an e-mail will do."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["username"].label = _("E-mail or username")
