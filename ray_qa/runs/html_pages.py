"""Pages of HTML that need nothing else: filled in so that no text from outside is taken for markup."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from pathlib import Path

TEMPLATES = Path(__file__).parents[1] / "assets" / "templates"


def html_page(template: str, **values: object) -> str:
    """A template of ours with its values, all of which are escaped but what says of itself that it is HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)


def script_of(name: str) -> str:
    """One of our scripts, to stand in a page as it is."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


def script_digest(script: str) -> str:
    """What a page's policy calls a script by, so that no other runs in it."""
    return f"sha256-{b64encode(sha256(script.encode()).digest()).decode()}"
