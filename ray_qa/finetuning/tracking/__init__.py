"""The metrics of a run: their log, its beat, and TensorBoard and MLflow, which follow the log.

``metrics_log`` · ``beat`` · ``tail`` · ``trackers`` · ``tensorboard`` · ``mlflow``
"""
