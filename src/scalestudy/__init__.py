"""scalestudy: does parallel training pay off here?

Layers, each importing only from those before it: ``spec`` (configuration, cells, runs: pure), ``records`` (the files
between the parts), ``train`` (the only layer that imports torch), ``analysis``, ``report``, ``cli``.
"""

__version__ = "0.1.0"
