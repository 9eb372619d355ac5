"""Adds tasks to a library one at a time until it is killed, and says so of each."""

import sys

from many_tasks import tasks

from tfmeta.tasks import TaskLibrary


def main(path, first):
    with TaskLibrary.load(path) as library:
        rows, labels = tasks(1, rows=12, features=4)
        print("open", flush=True)
        for number in range(first, first + 100_000):
            library.add_features([f"task {number}"], rows, labels)
            print(f"task {number}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
