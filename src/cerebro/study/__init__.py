"""A study's variants, and the encoders that it compares."""
