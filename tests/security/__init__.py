"""What a hostile tenant, viewer or network tries: forged tokens, injections, files, floods."""
