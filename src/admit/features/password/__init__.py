"""Passwords: what may be one, and how it is kept and compared."""
