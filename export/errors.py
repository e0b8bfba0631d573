"""What stops an export on purpose."""


class ExportError(Exception):
    """A checkpoint, package, manifest or option that cannot be used; its text is one line fit for a user."""


class RefusedByGate(ExportError):
    """No quantised candidate kept the accuracy."""
