"""Paths below /api/."""

from django.urls import path, register_converter

from crmsync.api import audit, views
from crmsync.converters import RowId

register_converter(RowId, "row")

urlpatterns = [
    path("v1/auth/login", views.LoginView.as_view(), name="login"),
    path("v1/auth/refresh", views.RefreshView.as_view(), name="refresh"),
    path("v1/auth/me", views.MeView.as_view(), name="me"),
    path("v1/auth/tokens", views.ApiTokensView.as_view(), name="api-tokens"),
    path("v1/auth/tokens/<row:pk>", views.ApiTokenView.as_view(), name="api-token"),
    path("v1/audit", audit.AuditView.as_view(), name="audit"),
]
