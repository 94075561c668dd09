"""What asv follows from commit to commit: Gop/s of kernels, images per second and top-1 of the network.

asv would time the JIT, and does not take turns. So each module's `setup_cache` compiles everything and lets qbench time
it in turns, once; the `track_*` benchmarks hand asv the finished numbers. `version` is the hash of the kernel sources:
asv shows values of one version only, so that a number measured on other kernels is never taken for one of these.
"""
