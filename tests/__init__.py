"""Tests, laid out like the apps."""
