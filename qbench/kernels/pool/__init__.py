"""Pooling over NHWC buffers."""
