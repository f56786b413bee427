"""The base every connector is built on. Knows neither Django nor any CRM."""
