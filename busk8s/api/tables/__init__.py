"""Server-side tables: the columns and cells that kubectl prints, kind by kind."""
