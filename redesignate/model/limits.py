# SPDX-License-Identifier: Apache-2.0
"""Limits on the size and length of values: each limit once, for every room that uses it.

The rooms decide where a limit is checked, and with which error a value beyond it is refused.
"""

from __future__ import annotations

INT32_MAX = 2**31 - 1
"""The largest number of an INTEGER column, and of every count and time that the API takes."""
TTL_MAX = INT32_MAX
"""Seconds (RFC 2181 §8)."""
NAME_LENGTH = 255
"""Characters of a domain name or a mail address."""
DESCRIPTION_LENGTH = 160
"""Characters."""
ATTRIBUTE_LENGTH = 50
"""Characters of the key, and of the value, of a zone's attribute."""
MOST_LISTED = 1000
"""Items of a list that has no limit of its own."""
PROJECT_LENGTH = 36
"""Characters of a project's id: as many as keystone gives."""
USER_LENGTH = 64
"""Characters of a user's id: as many as keystone gives (those of LDAP are the long ones)."""
