"""What people see: each stage's value as tables."""
