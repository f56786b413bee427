from django.urls import path

from connectors.api import views

urlpatterns = [
    path("v3/admin/crm-config", views.CrmConfigView.as_view()),
    path("v3/admin/test-crm-credentials", views.TestCrmCredentialsView.as_view()),
    path("v3/connections", views.ConnectionViewSet.as_view({"get": "list", "post": "create"})),
    path(
        "v3/connections/<slug:key>",
        views.ConnectionViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    path("v3/connections/<slug:key>/fields", views.RemoteFieldsView.as_view()),
    path("v3/connections/<slug:key>/rules", views.FieldRulesView.as_view()),
    path("v3/connections/<slug:key>/rules/<int:pk>", views.FieldRuleView.as_view()),
]
