"""Mounts every app's URLs; modules below /api/ spell their paths from the version on, such as `v3/contacts`."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from django.views.generic import RedirectView
from django.views.i18n import set_language
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from crmsync import errors
from crmsync.health import HealthView
from crmsync.metrics import MetricsView

API_APPS = ["crmsync", "syncjobs", "connectors", "contacts"]

urlpatterns = [
    *(path("api/", include(f"{app}.api.urls")) for app in API_APPS),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    re_path(r"^api/", csrf_exempt(errors.not_found)),
    path("admin/language", set_language, name="set_language"),
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", admin.site.urls),
    path("", include("syncjobs.compat.urls")),
    path("health", HealthView.as_view(), name="health"),
    path("metrics", MetricsView.as_view(), name="metrics"),
    path("", RedirectView.as_view(url="/admin/")),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.not_found
handler500 = errors.server_error
