#!/usr/bin/env python3
"""Let a real Chroma judge a persist directory: write one, describe it, check it after a change, upgrade it.

Runs under any chromadb from 0.4.15 on, offline. The answer is one JSON document on stdout; what the engine prints
itself goes to stderr, with the step being done, so that the text of a crash says what it crashed on.
"""
import sys

sys.dont_write_bytecode = True

import argparse
import faulthandler
import json
import os


def main():
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    faulthandler.enable()
    arguments = parse_arguments()
    # Importing chromadb takes seconds: not before the arguments are known to be right.
    result = arguments.run(arguments)
    json.dump(result, answer, ensure_ascii=True)
    answer.close()
    # Destructors of native clients have nothing to add to the answer, but may take long or crash.
    sys.stderr.flush()
    os._exit(0)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)

    write = command(commands, "write", run_write, "write a directory that does not exist yet")
    write.add_argument("--seed", type=int, default=7)
    write.add_argument("--scale", type=float, default=1.0)
    write.add_argument("--dim", type=int, default=12)

    describe = command(commands, "snapshot", run_snapshot, "print what the engine answers; it may write, too")
    describe.add_argument("--seed", type=int, default=1, help="of the queries")
    describe.add_argument("--digest-only", action="store_true", help="leave the records out")

    judge = command(commands, "judge", run_judge, "check a directory against a snapshot")
    judge.add_argument("expected", help="the snapshot's JSON file, - for stdin")
    judge.add_argument("--go-on", action="store_true", help="then go on writing, check again, and print the new state")
    judge.add_argument("--changed-space", action="append", default=[], metavar="[TENANT/DATABASE/]NAME=SPACE")
    judge.add_argument("--tolerance", type=float, default=0, help="of normalised embeddings, relative to the norm")
    judge.add_argument("--recall-tolerance", type=float, default=0.05)
    judge.add_argument("--own-index", action="store_true", help="the engine has built every index itself since")

    upgrade = command(commands, "upgrade", run_upgrade, "open with this engine and touch every collection")
    upgrade.add_argument("--write", action="store_true", help="add and change a few records in each as well")

    command(commands, "hold", run_hold, "search every collection, and keep them open until stdin ends")
    return parser.parse_args()


def command(commands, name, run, text):
    parser = commands.add_parser(name, help=text)
    parser.add_argument("dir")
    parser.set_defaults(run=run)
    return parser


def run_write(arguments):
    from write_directory import write_directory

    write_directory(arguments.dir, arguments.seed, arguments.scale, arguments.dim)
    return {}


def run_snapshot(arguments):
    from snapshot import snapshot

    return snapshot(arguments.dir, arguments.seed, not arguments.digest_only)


def run_judge(arguments):
    from verdict import Rules, judge

    with sys.stdin if arguments.expected == "-" else open(arguments.expected, encoding="utf-8") as file:
        expected = json.load(file)
    spaces = dict(pair.rsplit("=", 1) for pair in arguments.changed_space)
    rules = Rules(spaces, arguments.tolerance, arguments.recall_tolerance, arguments.own_index)
    return judge(arguments.dir, expected, rules, arguments.go_on)


def run_upgrade(arguments):
    from upgrade import upgrade

    return upgrade(arguments.dir, arguments.write)


def run_hold(arguments):
    import engine

    listed = engine.list_collections(arguments.dir)
    for _, _, collection in listed:
        vectors = [record["embedding"] for record in engine.read_records(collection).values()][:1]
        if vectors:
            engine.query(collection, vectors, 1)
    print("step: holding", file=sys.stderr, flush=True)
    sys.stdin.read()
    return {}


if __name__ == "__main__":
    main()
