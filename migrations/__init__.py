"""The history of the tables, as alembic revisions; core/store/migrate.py runs them."""
