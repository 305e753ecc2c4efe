"""A shop's service in plain ODMantic and FastAPI, as a team may have it; `test_service` rewrites it and runs both."""
