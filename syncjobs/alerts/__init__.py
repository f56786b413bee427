"""Alerts: what is wrong is found, kept while it lasts, and told once, by e-mail and webhook."""
