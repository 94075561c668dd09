"""Single operations, timed beside other libraries: their operands, their parties' processes, their rows."""
