"""The audit trail: who changed which setting, when, and from what to what."""
