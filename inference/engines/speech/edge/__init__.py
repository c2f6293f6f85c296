"""The voices of Microsoft Edge, through edge-tts (LGPL-3.0) and an unofficial service."""
