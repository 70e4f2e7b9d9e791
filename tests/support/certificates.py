# SPDX-License-Identifier: Apache-2.0
"""Certificates for servers of the tests, by an authority of their own."""

from __future__ import annotations

import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certify(folder: Path, host: str) -> list[Path]:
    """Write `ca.pem`, and `cert.pem` and `key.pem` for one host, into a folder; return the files."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("the tests' authority", host)]
    today = datetime.datetime.now(datetime.UTC)

    def sign(subject: x509.Name, owner: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> bytes:
        builder = x509.CertificateBuilder(
            issuer_name=names[0],
            subject_name=subject,
            public_key=owner.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=today - datetime.timedelta(days=1),
            not_valid_after=today + datetime.timedelta(days=1),
        )
        made = builder.add_extension(extension, critical=True).sign(authority, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    made = {
        "ca.pem": sign(names[0], authority, x509.BasicConstraints(ca=True, path_length=0)),
        "cert.pem": sign(names[1], key, x509.SubjectAlternativeName([x509.DNSName(host)])),
        "key.pem": private,
    }
    for name, content in made.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in made]
