"""What other modules can hang on."""

from django.dispatch import Signal

route_starts = Signal()
"""Sent before a run of a route, dry ones included. A receiver may raise Refused. Arguments: route."""

question_decided = Signal()
"""Sent when a person has answered a question, in the transaction that stores the answer. Arguments: item."""

person_erased = Signal()
"""Sent in the transaction that erases a person. Arguments: contact_id, report (JSON, without personal data)."""

person_exported = Signal()
"""Sent when everything about a person was handed out. Arguments: contact_id."""
