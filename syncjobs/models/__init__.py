"""The engine's tables: links, runs, routes, questions to people, the inbox, alerts, and counts."""

from syncjobs.models.alerts import Alert, AlertKind
from syncjobs.models.counts import LinkCount, RunCount
from syncjobs.models.inbox import EventStatus, InboundEvent, Subscription, SubscriptionState
from syncjobs.models.links import ContactSync, SyncSnapshot
from syncjobs.models.mirror import MirrorColumn, MirrorEntity, SchemaChange
from syncjobs.models.plans import Plan, PlanDirection, PlanStatus
from syncjobs.models.reviews import ReviewItem
from syncjobs.models.routes import Cursor, OnDelete, Policy, Route, Scanned, Stray, StrayKey
from syncjobs.models.runs import Run, RunItem, RunKind, RunMode, RunStatus

__all__ = [
    "Alert",
    "AlertKind",
    "ContactSync",
    "Cursor",
    "EventStatus",
    "InboundEvent",
    "LinkCount",
    "MirrorColumn",
    "MirrorEntity",
    "OnDelete",
    "Plan",
    "PlanDirection",
    "PlanStatus",
    "Policy",
    "ReviewItem",
    "Route",
    "Run",
    "RunCount",
    "RunItem",
    "RunKind",
    "RunMode",
    "RunStatus",
    "Scanned",
    "SchemaChange",
    "Stray",
    "StrayKey",
    "Subscription",
    "SubscriptionState",
    "SyncSnapshot",
]
