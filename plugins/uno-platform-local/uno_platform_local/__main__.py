"""`python -m uno_platform_local`: the same as `uno local`, for units that start without a shell."""

from uno_platform_local.cli import local

if __name__ == "__main__":
    local(prog_name="uno local")
