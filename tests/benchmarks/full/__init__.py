"""The full-size benchmark: the paper's pipelines, ours on every backend, and the peers, in one run of one machine.

python -m tests.benchmarks.full           everything at 512x384, written to docs/performance.md, .json and .png
python -m tests.benchmarks.full growth    how cost grows with picture size, steps and batch; the same page
"""
