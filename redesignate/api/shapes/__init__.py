# SPDX-License-Identifier: Apache-2.0
"""JSON ↔ model: the one place where v2's own words (`recordset`, `masters`) and its exact members live.

A file a noun. Each holds a table of the noun's members; one table says what is shown, what a POST takes, what a PUT
or PATCH changes, and which members may only be sent back as they are. `members.py` has the kinds of members, and
`shape.py` what is made of a table.
"""
