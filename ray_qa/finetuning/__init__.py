"""The command finetune: an encoder and rows with answers in, a reader out.

``finetune`` (the whole way) · ``config`` · ``extension`` · ``rows`` · ``job`` · ``labelling`` · ``label_counts`` ·
``dataset`` · ``workers`` · ``loop`` · ``sampler`` · ``step_plan`` · ``step`` · ``process_group`` · ``base_model`` ·
``lr_schedule`` · ``validation`` · ``checkpoints`` · ``weights`` · ``throughput`` · ``output`` · ``progress`` ·
``summary`` · ``model_card`` · ``learning_curve`` · ``tracking``
"""
