import schemathesis


@schemathesis.hook
def before_call(context, case, kwargs):
    """An answer that follows the audit log goes on until its client leaves."""
    if case.query:
        case.query.pop("follow", None)
