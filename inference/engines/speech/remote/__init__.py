"""What voices over the network share: deadlines, MP3 decoding, cutting silence, judging sound."""
