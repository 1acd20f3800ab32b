"""Fetching HBN-EEG's releases from their public S3 buckets: in parallel, resumable, checksummed."""
