"""From text to answer on one machine, without Ray.

``reader`` (the whole way) · ``model_check`` · ``model_files`` · ``pair_tokenizer`` · ``text_ranges`` ·
``encoded`` · ``windows`` · ``batching`` · ``collate`` · ``scoring`` · ``backend`` · ``span_model`` ·
``openvino_model`` · ``openvino_conversion`` · ``spans`` · ``answers`` · ``ranking`` · ``arithmetic`` · ``arrays`` ·
``transformers_logging``
"""
