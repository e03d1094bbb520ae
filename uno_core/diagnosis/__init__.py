"""`uno doctor` without its command line: what is right and wrong here, and how it is mended. Looks only."""

from uno_core.diagnosis.configured import examine
from uno_core.diagnosis.installation import installation
from uno_core.diagnosis.probing import Found, exit_code, told

__all__ = ["Found", "examine", "exit_code", "installation", "told"]
