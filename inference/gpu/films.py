"""Films of presenters on the device: each is kept once, however many broadcasts show it.

A film is up to 600 MB. It is read and kept on a thread of its own, for the server's loop must not
stand still for those that are on air.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Final

from inference.gpu.clients import film_key, read_film
from inference.gpu.painters import Painter

FilmKey = tuple[int, ...]
_RING: Final = b"\0"


@dataclass(slots=True, eq=False)
class Film:
    """kept: the painter's, None while it is being loaded. users: of the server's clients."""

    key: FilmKey
    kept: Any = None
    frames: int = 0
    users: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What became of a film: the painter's and how many frames it has, or why it is not here."""

    film: Film
    kept: Any = None
    frames: int = 0
    error: Exception | None = None


class Films:
    """What is on the device. All but the loading itself is called on the server's loop."""

    def __init__(self, painter: Painter) -> None:
        self._painter = painter
        self._films: dict[FilmKey, Film] = {}
        self._orders: SimpleQueue[tuple[Film, int] | None] = SimpleQueue()
        self._loaded: SimpleQueue[Loaded] = SimpleQueue()
        self._bell, self._ringer = os.pipe2(os.O_CLOEXEC)
        self._loader = threading.Thread(target=self._load_all, name="films", daemon=True)
        self._loader.start()

    def __len__(self) -> int:
        return len(self._films)

    def fileno(self) -> int:
        """Readable when `collect` has something to tell."""
        return self._bell

    def take(self, descriptor: int) -> Film:
        """The film in an open file, with one user more; it is loaded if it is not here yet.

        Raises WireError when it is no plain file.
        """
        key = film_key(descriptor)
        film = self._films.get(key)
        if film is not None:
            film.users += 1
            return film
        film = Film(key, users=1)
        self._orders.put((film, os.dup(descriptor)))
        self._films[key] = film
        return film

    def let_go(self, film: Film) -> None:
        """One user less; the last one's film goes."""
        film.users -= 1
        if not film.users and self._films.get(film.key) is film:
            del self._films[film.key]

    def collect(self) -> list[Loaded]:
        """What was loaded since the last call. What failed is tried anew for the next user."""
        os.read(self._bell, 4096)
        found = []
        while not self._loaded.empty():
            loaded = self._loaded.get()
            loaded.film.kept, loaded.film.frames = loaded.kept, loaded.frames
            if loaded.error is not None and self._films.get(loaded.film.key) is loaded.film:
                del self._films[loaded.film.key]
            found.append(loaded)
        return found

    def close(self) -> None:
        """Once what is being loaded is loaded."""
        self._orders.put(None)
        self._loader.join()
        os.close(self._bell)
        os.close(self._ringer)

    def _load_all(self) -> None:
        while (order := self._orders.get()) is not None:
            film, descriptor = order
            self._loaded.put(self._load(film, descriptor))
            os.write(self._ringer, _RING)

    def _load(self, film: Film, descriptor: int) -> Loaded:
        try:
            if not film.users:
                return Loaded(film)
            values = read_film(descriptor, self._painter.film)
            return Loaded(film, self._painter.keep(values), len(values))
        except Exception as error:  # noqa: BLE001 - told to those who wait for the film
            return Loaded(film, error=error)
        finally:
            os.close(descriptor)
