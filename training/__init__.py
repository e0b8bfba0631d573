"""Recipe of the embedded Hindi model: sentences, synthetic speech, NeMo training, evaluation."""
