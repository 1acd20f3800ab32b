"""The one exception that users are meant to read."""


class UserError(Exception):
    """Something the user can mend: one sentence that names the file or key at fault and the way out.

    The command line prints it without a traceback.
    """
