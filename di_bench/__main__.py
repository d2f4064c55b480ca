"""`python -m di_bench`, which is also what `accelerate launch -m di_bench` starts."""

from di_bench.cli import app

if __name__ == "__main__":
    app(prog_name="di-bench")
