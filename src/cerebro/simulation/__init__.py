"""The embedded raw data: heads, subjects and recordings, written in the file formats of the real archives."""
