"""n8n: a workflow of the customer that takes contacts in over its webhook."""
