# SPDX-License-Identifier: Apache-2.0
"""How fast: `make bench` prints a table of figures with the machine that they are of. Nothing here is a test."""
