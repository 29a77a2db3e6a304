"""`python -m reidops`: the command line, as `reidops`."""

from reidops.command import main

if __name__ == "__main__":
    main(prog_name="reidops")
