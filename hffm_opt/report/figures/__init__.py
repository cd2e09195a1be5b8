"""The drawings of the report, one file each."""
