"""REST: logging in, and one's own API tokens."""
