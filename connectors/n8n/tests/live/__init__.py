"""The connector against a real n8n, which is installed for it: `make test-n8n`. Not part of the other tests."""
