"""A presenter made of one photo: its face is bent by landmarks, without networks or a GPU."""
