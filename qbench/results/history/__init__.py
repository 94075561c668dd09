"""Many runs of one suite in order: how figures went, and at which run one took a step."""
