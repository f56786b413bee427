from django.urls import path

from syncjobs.api import people, queueing, reviews, runs, status, webhooks
from syncjobs.compat import urls as compat

urlpatterns = [
    *compat.API,
    path("v3/contacts/<uuid:contact_id>/queue-sync", queueing.QueueSyncView.as_view()),
    path("v3/contacts/bulk-queue-sync", queueing.BulkQueueSyncView.as_view()),
    path("v3/contacts/queue-all-sync", queueing.QueueAllSyncView.as_view()),
    path("v3/contacts/<uuid:contact_id>/sync-status", status.SyncStatusView.as_view()),
    path("v3/contacts/sync-stats", status.SyncStatsView.as_view()),
    path("v3/contacts/sync-failures", status.SyncFailuresView.as_view()),
    path("v3/contacts/<uuid:contact_id>/retry-sync", queueing.RetrySyncView.as_view()),
    path("v3/contacts/<uuid:contact_id>/erase", people.ErasePersonView.as_view()),
    path("v3/contacts/<uuid:contact_id>/export", people.ExportPersonView.as_view()),
    path("v3/contacts/retry-all-failures", queueing.RetryAllFailuresView.as_view()),
    path("v3/runs", runs.RunListView.as_view()),
    path("v3/runs/<int:pk>", runs.RunView.as_view()),
    path("v3/runs/<int:pk>/items", runs.RunItemsView.as_view()),
    path("v3/runs/<int:pk>/undo", runs.RunUndoView.as_view()),
    path("v3/runs/<int:pk>/cancel", runs.RunCancelView.as_view()),
    path("v1/reviews", reviews.ReviewListView.as_view()),
    path("v1/reviews/<int:pk>/decide", reviews.DecideView.as_view()),
    path("v3/connections/<slug:key>/push", runs.PushView.as_view()),
    path("v1/webhooks/<slug:system>", webhooks.receive_all),
    path("v1/webhooks/<slug:connector>/<str:event_type>", webhooks.receive),
    path("v1/webhooks/<slug:connector>/<str:event_type>/<str:token>", webhooks.receive),
]
