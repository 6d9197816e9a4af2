"""The ready application as it is deployed: several processes, PostgreSQL, Redis and a mail server."""
