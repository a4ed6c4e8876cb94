"""The library from the shell: ``python -m choreo_lib train NAME`` makes one of the book's trained artifacts.

``ablate NAME`` says what its options are worth, ``evaluate NAME`` how good it is. Taught in chapter 4.
For choreographers: ``partner my_dance.bvh --out partner.bvh`` and the other verbs of `choreo_lib.studio.command`;
``studio`` opens the same as a local web page, and ``live`` lets a partner dance along.
Exit statuses: 0 done, 1 could not (a line on stderr says why), 2 wrong words, 130 stopped by Ctrl-C.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable

import torch.distributed as dist

from .studio import command


def main(words: list[str] | None = None) -> int:
    """Do what the words after ``python -m choreo_lib`` say; gives the exit status. Chapter: 4."""
    parser = argparse.ArgumentParser(prog="python -m choreo_lib", description="The book's library from the shell.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    train = verbs.add_parser("train", help="train an artifact and write its weights and card",
                             description="More than one GPU: torchrun --nproc-per-node 2 -m choreo_lib train NAME")
    ablate = verbs.add_parser("ablate", help="train an artifact without each of its model's options, for a table")
    evaluate = verbs.add_parser("evaluate", help="a model's metrics, and every baseline's, as a table")
    for verb in (train, ablate, evaluate):
        verb.add_argument("name", help="such as solo-synthetic; `list` says which there are")
        verb.add_argument("--data", help="where the real sets lie (as CHOREO_DATA)")
    evaluate.add_argument("--split", default="test", help="validation, test (the default), or an integer seed")
    evaluate.add_argument("--long", action="store_true", help="of a duet model: dancing along for ten minutes")
    for verb in (train, ablate):
        verb.add_argument("--mode", choices=("quick", "full"), default="quick", help="quick: minutes on a CPU")
        verb.add_argument("--device", help="cpu, cuda (default: a GPU if there is one)")
        verb.add_argument("--epochs", type=_from(1), help="how many, in place of the recipe's")
    ablate.add_argument("--only", metavar="OPTION", help="this option alone ('all on': the model as it is)")
    ablate.add_argument("--out", help="folder for NAME.json (default: data/ablations)")
    train.add_argument("--out", help="folder for checkpoints, history, weights and card (default: runs/NAME, "
                                      "on Colab on a mounted Google Drive)")
    train.add_argument("--resume", action="store_true", help="go on with a run that was broken off")
    train.add_argument("--weights", help="a file of weights to begin from, instead of random ones; few epochs will do")
    train.add_argument("--keep-every", type=_from(0), default=0, metavar="N", help="keep every Nth epoch's weights")
    train.add_argument("--precision", choices=("float32", "bfloat16", "float16"),
                       help="default: float32 (on CUDA with TF32 products), which is fastest on a GPU at these sizes; "
                            "float16 is for CUDA only")
    verbs.add_parser("list", help="the artifacts, and which have weights here")
    command.add_verbs(verbs)
    asked = parser.parse_args(words)
    if getattr(asked, "data", None):
        os.environ["CHOREO_DATA"] = asked.data
    from .core.tables import format_table
    from .io import MotionFormatError
    from .sets.registry import DatasetError
    from .training import ablations, artifacts, recipes
    from .training.checkpoints import TrainingError

    if asked.verb == "list":
        have = artifacts.list_models()
        for name, recipe in recipes.RECIPES.items():
            print(f"{name:20s} {'has weights' if name in have else 'no weights ':11s}  {recipe.what}")
        return 0
    try:
        if asked.verb in command.VERBS:
            return command.run(asked)
        if int(os.environ.get("WORLD_SIZE", 1)) > 1:
            dist.init_process_group()
        if asked.verb == "ablate":
            print(ablations.table(ablations.ablate(asked.name, asked.mode, asked.only, asked.out, None, asked.device,
                                                  asked.epochs)))
            return 0
        if asked.verb == "evaluate":
            split = int(asked.split) if asked.split.isdecimal() else asked.split
            rows = (artifacts.evaluate_long if asked.long else artifacts.evaluate)(asked.name, split)
            metrics = dict.fromkeys(metric for row in rows.values() for metric in row)
            print(format_table(["", *rows], [[metric, *(f"{row[metric]:.4g}" if metric in row else ""
                                                        for row in rows.values())] for metric in metrics]))
            return 0
        print(artifacts.train(asked.name, asked.mode, asked.out, asked.resume, asked.device,
                              asked.precision, asked.weights, asked.keep_every, asked.epochs))
    except KeyboardInterrupt:
        print("choreo_lib: stopped; nothing half-written was left", file=sys.stderr)
        return 130
    except (TrainingError, DatasetError, MotionFormatError, RuntimeError) as error:
        return _could_not(error, asked)
    except (ValueError, TypeError, ImportError, OSError) as error:
        if asked.verb not in command.VERBS:  # of training these are ours to mend, with all that Python says of them
            raise
        return _could_not(error, asked)
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
    return 0


def _from(least: int) -> Callable[[str], int]:
    """A whole number of at least so many, in the words of the shell."""
    def number(word: str) -> int:
        if int(word) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}; got {word}")
        return int(word)
    return number


def _could_not(error: Exception, asked: argparse.Namespace) -> int:
    """Say in one line why not, and as JSON where that was asked for."""
    why = " ".join(str(error).split()) or type(error).__name__
    if getattr(asked, "json", False):
        print(json.dumps({"verb": asked.verb, "error": why}, ensure_ascii=False))
    print(f"choreo_lib: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
