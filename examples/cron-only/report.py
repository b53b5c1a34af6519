"""What a nightly job does: its exit code says whether it went well, its output is the log."""

import os
import sys

days = int(sys.argv[1])
print(f"report of the last {days} day(s), made by {os.environ.get('IMAGE_TAG')}")
