"""The command line ``hffm``. Commands load what they need when they run, so that help answers at once."""
