"""Any voice server that speaks the `POST /audio/speech` interface of OpenAI."""
