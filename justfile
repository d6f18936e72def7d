# Shortcuts for people who have `just`; each line is what you would type without it.

# Serve.
up *ARGUMENTS:
    ./dynimo up {{ARGUMENTS}}

# The whole suite, style and types included; arguments go to pytest.
test *ARGUMENTS:
    ./dynimo test {{ARGUMENTS}}

# What CI runs, system packages included (needs root or sudo).
ci:
    CI=true bash .ci/run

# Mend what ruff can mend by itself.
format:
    .dynimo/venv/bin/python -m ruff check --fix .
    .dynimo/venv/bin/python -m ruff format .

# Renew requirements*.lock after a change in pyproject.toml (`just lock --upgrade`: newest versions).
lock *ARGUMENTS:
    scripts/lock {{ARGUMENTS}}

# Drop what the first launch made; data in .dynimo stays.
clean:
    rm -rf .dynimo/venv .dynimo/tools .dynimo/cache .dynimo/build
