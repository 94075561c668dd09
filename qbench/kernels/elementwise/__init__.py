"""What stands between layers: addition, tables, clamps, flattening."""
