"""Storm's multilang protocol, as components speak it."""
