"""One short script a stage: read the parameters, call the library, write the outs."""

import gc

# Importing PyTorch makes a million objects that live as long as the process. Searching them for
# garbage again and again is a third of the time that a stage takes to start and to end: not until
# all are there, and then without them (see `runner.run`).
gc.disable()
