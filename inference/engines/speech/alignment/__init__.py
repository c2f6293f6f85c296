"""Lips for voices that tell no phoneme times: from the text and the sound, else the sound alone."""
