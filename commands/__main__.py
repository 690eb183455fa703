"""``python -m commands``: the command line from a checkout."""

from commands.app import main
from config.process.ending import end_process

if __name__ == "__main__":
    end_process(main())
