import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """Skips the answer that follows the audit log, which never ends."""
    if case.query:
        case.query.pop("follow", None)
