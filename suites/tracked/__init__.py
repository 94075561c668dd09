"""What asv follows from commit to commit: Gop/s of kernels, images per second and top-1 of the network.

asv would time the JIT, and does not take turns. So each module's `setup_cache` compiles everything and lets qbench time
it in turns, once; the `track_*` benchmarks hand asv the finished numbers. Believe ratios of the same rounds
(`track_share_of_ceiling`, `track_speedup_over_fp32`): a host drifts by more than most changes are worth.

asv shows values of one `version` only. It is raised by hand where the numbers begin to mean something else, and only
there: kernels may change as they like, that is what is followed. `measures.json` holds what each version measures;
`tests/end_to_end/test_asv.py` says when it is no longer so.
"""
