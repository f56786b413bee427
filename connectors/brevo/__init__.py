"""Brevo (formerly Sendinblue) contacts."""
