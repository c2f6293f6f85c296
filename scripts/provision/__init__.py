"""What stands behind `make demo` and `make test`; standard library only."""
