"""Bitrix24: contacts, deals, leads and companies of one portal."""
