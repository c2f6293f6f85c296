"""What LiveStudio costs and how late it is, measured from outside: `python -m benchmarks.latency`.

Each program prints a table of figures against their targets. See docs/performance.md.
"""
