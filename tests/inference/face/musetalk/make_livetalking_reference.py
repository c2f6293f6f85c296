"""Write livetalking_reference.npz: windows, turns and pasted pictures by LiveTalking's own code.

    python -m tests.inference.face.musetalk.make_livetalking_reference CHECKOUT [OUT]

CHECKOUT: github.com/lipku/LiveTalking at a5a77f4. Its functions are taken out of their files, for
what else these import (transformers, a player, queues) is not compared.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import cv2
import numpy as np

from tests.inference.face.musetalk.make_paste_reference import BOX, PICTURE_PX, picture, region

# As LiveTalking is set up when nothing is said: of sound before and behind a batch, in 20 ms.
LEFT_TOKENS: Final = 10
RIGHT_TOKENS: Final = 10
BATCH_FRAMES: Final = 16
COUNTS: Final = (1, 2, 7)


def functions(path: Path, *names: str) -> dict[str, Any]:
    """Functions of a file, in a class or not, by name."""
    tree = ast.parse(path.read_text())
    wanted = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in names
    ]
    found: dict[str, Any] = {"np": np, "cv2": cv2}
    exec(compile(ast.Module(wanted, []), path.name, "exec"), found)  # noqa: S102 - a checkout
    return found


def windows(checkout: Path) -> np.ndarray[Any, Any]:
    """(16, 10): the tokens of each frame of a batch; token 0 is the first of the first frame."""
    folder = checkout / "avatars" / "audio_features"
    found = functions(folder / "base_asr.py", "_get_sliced_feature")
    found |= functions(folder / "whisper.py", "_feature2chunks")
    count = LEFT_TOKENS + 2 * BATCH_FRAMES + RIGHT_TOKENS
    tokens = np.broadcast_to(np.arange(count)[:, None, None] - LEFT_TOKENS, (count, 1, 384))

    def cut(**given: Any) -> Any:
        return found["_get_sliced_feature"](None, **given)

    # As `run_step` calls it.
    chunks = found["_feature2chunks"](
        SimpleNamespace(_get_sliced_feature=cut), feature_array=tokens, batch_size=BATCH_FRAMES,
        audio_feat_win=[0, 5], start=LEFT_TOKENS / 2, feature_idx_multiplier=2,
    )  # fmt: skip
    return np.stack(chunks)[:, :, 0].astype(np.int16)


def main(name: str, out: str = "") -> None:
    checkout = Path(name)
    turn = functions(checkout / "utils" / "image.py", "mirror_index")["mirror_index"]
    arrays = {"windows": windows(checkout)}
    for count in COUNTS:
        turns = [turn(count, position) for position in range(5 * count)]
        arrays[f"turns_{count}"] = np.array(turns, np.int16)
    paste = functions(checkout / "avatars/musetalk/myutil.py", "get_image_blending")
    crop = square_around(BOX)
    mask = cv2.GaussianBlur(region(crop[2] - crop[0]), (21, 21), 0)
    face = picture(BOX[2] - BOX[0], BOX[3] - BOX[1], 2)
    body = picture(*PICTURE_PX, 1)
    whole = cv2.cvtColor(mask, cv2.COLOR_GRAY2BGR)
    arrays["mask"] = mask
    arrays["pasted"] = paste["get_image_blending"](body, face, BOX, whole, crop)[::3, ::3]
    target = Path(out) if out else Path(__file__).with_name("livetalking_reference.npz")
    np.savez_compressed(target, **arrays)


def square_around(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """A square inside the picture, for LiveTalking takes no other."""
    side, left, top = 330, box[0] - 40, box[1] - 50
    return left, top, left + side, top + side


if __name__ == "__main__":
    main(*sys.argv[1:])
