"""Run the command line `reidops` as `python -m reidops`."""

from reidops.command import main

if __name__ == "__main__":
    main(prog_name="reidops")
