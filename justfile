# What one does with this project; `./justw` runs these and installs what they need.

# List the recipes
default:
    @just --list

# The whole chain on held-out drawn pairs: pictures, checks and timings in outputs/demo
demo *options:
    lite-vton demo --output outputs/demo --overwrite {{ options }}

# The page of `lite-vton serve` and the package under it (Node 20 or newer)
web:
    cd runtimes/web && npm ci --no-progress && npm run build

# The test suite, in two processes; --quick leaves out what is slow: trainings, exports, the page, benchmarks
test *options:
    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python -m pytest -n 2 --dist loadfile --no-loadscope-reorder --max-worker-restart=0 {{ options }}

# Which lines the quick tests reach; ends with an error below the floor in pyproject.toml
coverage *options:
    OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE python -m pytest --quick -n 2 --dist loadfile --cov --cov-report=term {{ options }}

# Damaged files of every kind for every reader; the long form of docs/reliability.md is --cases 100000
fuzz *options:
    python -m tests.fuzz {{ options }}

# Commands ended by SIGKILL at random moments, and what they leave; the long form is --kills 300
kills *options:
    python -m tests.reliability.kills {{ options }}

# An honest client of the server among slow ones; the long form is --clients 200
slow-clients *options:
    python -m tests.reliability.slow_clients {{ options }}

# The server's memory over many requests; the long form is --count 1000
requests *options:
    python -m tests.reliability.requests {{ options }}

# An environment for Optimum, which needs older diffusers than ours: tests open our files in it, the full benchmark times its own
optimum:
    cmp -s constraints-optimum.txt .venv-optimum/.installed || rm -rf .venv-optimum
    [ -e .venv-optimum ] || python -m venv .venv-optimum
    [ -e .venv-optimum/.installed ] || .venv-optimum/bin/python -m pip install --quiet --disable-pip-version-check -r constraints-optimum.txt
    cp constraints-optimum.txt .venv-optimum/.installed

# Style, types, and which package may import which
check:
    ruff check .
    ruff format --check .
    mypy
    python -m pytest tests/test_import_arrows.py

# Rewrite files the way `check` wants them
format:
    ruff check --fix .
    ruff format .

# Make the weights in lite_vton/assets again: draws the pairs, trains (three hours on two cores with bfloat16 units)
train-demo *options:
    python -m lite_vton_training.demo.recipe {{ options }}

# Teach the weights in lite_vton/assets photographs beside drawings; needs --photographs and --garments (five minutes of an H200 and an hour of two cores; without a GPU six hours)
train-demo-further *options:
    python -m lite_vton_training.demo.further {{ options }}

# The figures of the README on the held-out pairs
evaluate *options:
    lite-vton eval demo {{ options }}

# The paper's tables in small: trains every missing row (hours; goes on where it was stopped) and writes docs/results.md
reproduce *options:
    python -m lite_vton_training.reproduce.tables {{ options }}

# docs/performance.md: the paper's pipelines, ours and the peers (./justw optimum first) at full size; 20 minutes on 2 cores
benchmark-full *options:
    OMP_WAIT_POLICY=PASSIVE python -m tests.benchmarks.full {{ options }}

# The same page's part on how cost grows with picture size, batch and steps
benchmark-growth *options:
    OMP_WAIT_POLICY=PASSIVE python -m tests.benchmarks.full growth {{ options }}

# Distillation of steps on the demo student: trains every missing row and writes docs/few-steps.md
reproduce-steps *options:
    python -m lite_vton_training.reproduce.steps {{ options }}

# What a small autoencoder costs the demo in quality: trains AutoencoderKL and a small one, writes docs/small-autoencoder.md
reproduce-autoencoder *options:
    python -m lite_vton_training.reproduce.autoencoder {{ options }}

# What is released: the wheel and the npm package, in dist/, built with the page and tried from empty folders; uploads nothing
release: check web
    python -m tests.release
