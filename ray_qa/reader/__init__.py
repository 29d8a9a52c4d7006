"""From text to answer on one machine, without Ray.

``reader`` (the whole way) · ``model_files`` · ``pair_tokenizer`` · ``encoded`` · ``windows`` · ``batching`` ·
``collate`` · ``span_model`` · ``spans`` · ``scoring`` · ``arrays`` · ``answers`` · ``transformers_logging``
"""
