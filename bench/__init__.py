"""What a login costs, beside Flask-Login and over bare Flask: ``python -m bench --help``."""
