"""Which colour says what: the variants of badges, and the classes of cells."""

from connectors.models import ConnectionState
from syncjobs.models import EventStatus, PlanStatus, RunItem, RunStatus, SubscriptionState
from syncjobs.states import SyncStatus

BADGES = {
    SyncStatus.COMPLETE.value: "success",
    SyncStatus.QUEUED.value: "info",
    SyncStatus.PROCESSING.value: "info",
    SyncStatus.SELECTED.value: "primary",
    SyncStatus.ERROR.value: "danger",
    SyncStatus.SKIPPED.value: "warning",
}
STATES = {
    ConnectionState.OK.value: "success",
    ConnectionState.NEEDS_ATTENTION.value: "danger",
    ConnectionState.NEW.value: "info",
}
RUN_BADGES = {
    RunStatus.DONE.value: "success",
    RunStatus.RUNNING.value: "info",
    RunStatus.FAILED.value: "warning",
    RunStatus.STOPPED.value: "danger",
    RunStatus.CANCELLED.value: "warning",
}
RUN_COLOURS = {
    RunStatus.DONE.value: "bg-green-500",
    RunStatus.RUNNING.value: "bg-blue-500",
    RunStatus.FAILED.value: "bg-orange-500",
    RunStatus.STOPPED.value: "bg-red-500",
    RunStatus.CANCELLED.value: "bg-base-400",
}
ACTION_BADGES = {
    RunItem.Action.CREATE.value: "success",
    RunItem.Action.UPDATE.value: "info",
    RunItem.Action.LINK.value: "info",
    RunItem.Action.SKIP.value: "warning",
    RunItem.Action.DELETE.value: "warning",
    RunItem.Action.CONFLICT.value: "danger",
    RunItem.Action.FAIL.value: "danger",
}
EVENT_BADGES = {
    EventStatus.NEW.value: "info",
    EventStatus.DONE.value: "success",
    EventStatus.IGNORED.value: "warning",
    EventStatus.FAILED.value: "danger",
}
SUBSCRIPTION_BADGES = {
    SubscriptionState.OK.value: "success",
    SubscriptionState.MISSING.value: "danger",
    SubscriptionState.DISABLED.value: "danger",
    SubscriptionState.OFF.value: "info",
}
PLAN_BADGES = {
    PlanStatus.MAKING.value: "info",
    PlanStatus.READY.value: "primary",
    PlanStatus.APPLYING.value: "info",
    PlanStatus.APPLIED.value: "success",
    PlanStatus.FAILED.value: "danger",
}
