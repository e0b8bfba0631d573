"""Recordings of people that one has → a NeMo manifest that `training.train` takes, in the model's spelling.

    python -m training.corpora --corpus common-voice:cv-corpus/hi --corpus openslr@bn:slr53 --out training/build/people

NAME is ``common-voice`` (a folder as Mozilla packs it), ``common-voice-test`` (its ``test.tsv`` alone, to judge by),
``openslr`` (a folder with ``line_index*.tsv`` or ``utt_spk_text.tsv``), ``nemo`` (a manifest: a JSON object a line),
``indic-voices`` (a manifest that AI4Bharat's scripts write) or ``people`` (a folder with ``manifest.tsv``: file,
seconds, language, speaker, transcript, source, licence; its clips beside it or in tars, each named as its clips before
their last ``_``). ``@LANGUAGE`` after the name says what is spoken where the corpus does not. Clips at 16 kHz mono
stay where they are; others are converted, and parts of longer files cut out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.corpora.gather import gather
from training.corpora.readers import parse_corpus
from training.files import command
from training.parallel import add_jobs


def main() -> None:
    """Run the step from the command line."""
    parser = argparse.ArgumentParser(
        prog="training.corpora", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--corpus", type=parse_corpus, action="append", required=True, metavar="NAME[@LANGUAGE]:PLACE")
    parser.add_argument("--without-licence", action="append", default=[], metavar="WORD", help="such as BY-SA")
    parser.add_argument("--out", type=Path, required=True)
    add_jobs(parser)
    options = parser.parse_args()
    gather(options.corpus, options.out, options.without_licence, options.jobs)


if __name__ == "__main__":
    command(main)
