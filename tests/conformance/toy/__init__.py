"""The smallest connector there can be: a list of people with unique addresses."""
