"""Wav2Lip at 256 px: the mouth of a filmed presenter, repainted by one small network."""
