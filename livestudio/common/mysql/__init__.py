"""Django's MySQL backend, which looks at a connection less often: ADR 0043."""
