"""Shows, their airings, and everything that steers an airing."""
