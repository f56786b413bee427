"""The hub's own list of people. Knows nothing of CRMs."""
