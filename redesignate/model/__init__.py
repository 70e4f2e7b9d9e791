# SPDX-License-Identifier: Apache-2.0
"""Plain values and the rules on them alone. No SQL, no HTTP, no sockets, no configuration."""
