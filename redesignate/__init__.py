# SPDX-License-Identifier: Apache-2.0
"""Redesignate: a multi-tenant DNS control plane."""

import os

# OpenStack's libraries still import eventlet where it is installed, and that import puts functions of its own into
# dnspython. Nothing here uses eventlet, nothing is to be patched.
os.environ.setdefault("EVENTLET_NO_GREENDNS", "yes")

__version__ = "0.1.0"
