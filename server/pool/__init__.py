"""The pool of one worker: a fair queue, and lanes that work it off. It knows tasks and costs, no audio and no HTTP."""
