"""The metrics of a run: their log, and TensorBoard and MLflow, which follow it.

``metrics_log`` · ``tail`` · ``trackers`` · ``tensorboard`` · ``mlflow``
"""
