"""Who may do what, asked of every door: API, websockets, admin, keys. See CONTRIBUTING.md."""
