"""One self-contained HTML page about one or several runs, and its figures as files."""

from hffm_opt.report.compared import ComparedMethods
from hffm_opt.report.run import Run, read_run
from hffm_opt.report.write import render_report, write_report

__all__ = ["ComparedMethods", "Run", "read_run", "render_report", "write_report"]
