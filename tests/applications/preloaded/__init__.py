"""An application that gunicorn loads before it forks."""
