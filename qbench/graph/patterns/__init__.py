"""Recognize what exporters spell in many nodes: functions of one number, layer norms, attention, channel shuffles."""
