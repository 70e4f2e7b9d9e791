# SPDX-License-Identifier: Apache-2.0
"""Tests of who is asking and what they may."""
