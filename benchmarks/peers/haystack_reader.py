"""Haystack's ``TransformersExtractiveReader``: one question at a time, as that is what it takes.

Its answers differ as it gives the model no segment ids, and has no limit to the length of an answer.
"""

from __future__ import annotations

from typing import Any

import torch
from haystack import Document
from haystack.utils import ComponentDevice
from haystack_integrations.components.readers.transformers import TransformersExtractiveReader

from benchmarks.peers.invocation import MAX_TOKENS, STRIDE, invocation
from benchmarks.peers.serving import CORES, Rows, serve, timed, warm_up


def main() -> None:
    """Serve the one way."""
    given = invocation()
    torch.set_num_threads(CORES)
    reader: Any = TransformersExtractiveReader(
        model=given.model,
        device=ComponentDevice.from_str("cpu"),
        token=None,
        top_k=1,
        no_answer=False,
        max_seq_length=MAX_TOKENS,
        stride=STRIDE,
        model_kwargs={"dtype": torch.float32},
    )
    reader.warm_up()

    def answer(rows: Rows) -> list[str]:
        return [
            reader.run(query=question, documents=[Document(content=context)])["answers"][0].data
            for question, context in zip(rows.questions, rows.contexts, strict=True)
        ]

    warm_up(answer, given.warm_up)
    serve({"run": timed(answer)}, ["transformers-haystack", "haystack-ai", "transformers", "torch", "tokenizers"])


if __name__ == "__main__":
    main()
