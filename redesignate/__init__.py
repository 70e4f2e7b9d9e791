# SPDX-License-Identifier: Apache-2.0
"""Redesignate: a multi-tenant DNS control plane."""

__version__ = "0.1.0"
