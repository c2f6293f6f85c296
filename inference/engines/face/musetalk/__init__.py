"""MuseTalk: a filmed presenter whose mouth is repainted to the sound, 25 faces a second on a GPU.

Zhang and others, "MuseTalk: Real-Time High-Fidelity Video Dubbing via Spatio-Temporal Sampling",
arXiv 2410.10122. This package has the networks, the features and the loading of official weights.
"""
