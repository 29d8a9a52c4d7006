"""What a model can take, and whether settings and tokenizer keep to it."""

from __future__ import annotations

from dataclasses import dataclass

from ray_qa.errors import ConfigError, ModelError
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.settings import WindowSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The longest window of a model in tokens, and the ids it has embeddings for; ``None`` where that is unknown."""

    max_positions: int | None
    vocabulary: int | None


def check_fits(settings: WindowSettings, tokenizer: PairTokenizer, limits: Limits, ref: str) -> None:
    """Check what only the model can tell: ids for all tokens, positions, and the room its special tokens leave.

    Raises:
        ModelError: if tokenizer and weights are not of one model.
        ConfigError: if a window would be too long for the model, or windows would not advance.
    """
    problems = []
    limit = limits.max_positions
    if limit is not None and settings.max_tokens > limit:
        problems.append(f"`max_tokens` must be at most the model's positions ({limit}), but is {settings.max_tokens}")
    room = settings.max_tokens - settings.max_question_tokens - tokenizer.template.special_tokens
    if room <= 0:
        problems.append(
            f"`max_tokens` must be above `max_question_tokens` + special tokens "
            f"({settings.max_question_tokens} + {tokenizer.template.special_tokens}), but is {settings.max_tokens}"
        )
    elif settings.stride >= room:
        problems.append(f"`stride` must be less than the window's room for context ({room}), but is {settings.stride}")
    if problems:
        raise ConfigError(*problems)
    words = tokenizer.fast_tokenizer.get_vocab_size(with_added_tokens=False)
    if limits.vocabulary is not None and not limits.vocabulary / 2 <= words <= limits.vocabulary:
        raise ModelError(
            f"`model` must have an embedding for every token, but {ref} has {limits.vocabulary} of them for "
            f"{words} tokens; tokenizer and weights are of different models"
        )
