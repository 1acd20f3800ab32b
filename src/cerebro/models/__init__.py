"""Networks in pure torch (2.2 or later), without file or configuration access: a submission ships them."""
