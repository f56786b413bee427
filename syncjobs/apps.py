from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class SyncjobsConfig(AppConfig):
    name = "syncjobs"
    verbose_name = _("Synchronisation")

    def ready(self) -> None:
        from syncjobs import checks, receivers  # noqa: F401 - the checks register themselves
        from syncjobs.admin import contacts as contact_admin
        from syncjobs.api import contact_filters
        from syncjobs.mirror import following

        receivers.connect()
        contact_admin.connect()
        contact_filters.connect()
        following.connect()
