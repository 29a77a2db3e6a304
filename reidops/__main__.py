"""`python -m reidops` is the command `reidops`."""

from reidops.command import main

if __name__ == "__main__":
    main()
