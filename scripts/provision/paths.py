"""Where things lie in a clone."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "stamps"
TOOLS = ROOT / ".tools"
FRONTEND = ROOT / "frontend"
REQUIREMENTS = ROOT / "requirements"
