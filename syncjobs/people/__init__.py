"""What the law lets people ask for: everything that is known of them, and its end."""
