"""What other modules can hang on."""

from django.dispatch import Signal

route_starts = Signal()
"""Sent before a run of a route, dry ones included. A receiver may raise Refused. Arguments: route."""
