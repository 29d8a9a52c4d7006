"""From text to answer on one machine, without Ray.

``reader`` (the whole way) · ``given_rows`` · ``model_check`` · ``model_files`` · ``model_cache`` · ``loading`` ·
``engine`` · ``cpu`` · ``limits`` · ``tokenizer_loading`` · ``pair_tokenizer`` · ``chunks`` · ``text_ranges`` ·
``encoded`` · ``windows`` · ``batching`` · ``collate`` · ``scoring`` · ``backend`` · ``span_model`` ·
``openvino_model`` · ``openvino_conversion`` · ``quantization`` · ``spans`` · ``ranking`` · ``calibration`` ·
``answers`` · ``mentions`` · ``failures`` · ``alignment`` · ``labels`` · ``inspection`` · ``inspecting`` ·
``inspected_labels`` · ``arithmetic`` · ``arrays`` · ``stopwatch`` · ``transformers_logging``
"""
