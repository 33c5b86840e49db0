"""X.509: reads a pair and says what it is, makes a self-signed one. Knows no files and no plans.

Keys go in and out as PEM bytes and are never part of a value, a text or an error. The library is loaded at
first use. Peers of the network do not verify certificates; names and validity are right all the same, for
people and for tools that do.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconciler.resources.certificate.state import Pair, Unusable

if TYPE_CHECKING:
    from cryptography import x509

VALID_DAYS = 3652
"""Ten years: nobody verifies it, and a change would only be noise."""


def inspect(chain_pem: bytes, key_pem: bytes, *, made_here: bool) -> Pair | Unusable:
    """What the pair is, or why it cannot be served."""
    from cryptography import x509  # noqa: PLC0415 - heavy, and needed by nodes with TLS only
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    try:
        chain = x509.load_pem_x509_certificates(chain_pem)
    except ValueError:
        return Unusable("the certificate file holds no PEM certificate")
    try:
        key = serialization.load_pem_private_key(key_pem, password=None)
    except TypeError:
        return Unusable("the key is encrypted; the edge needs it in clear")
    except ValueError:
        return Unusable("the key is no PEM private key")
    public = _public_bytes(key.public_key())
    if public != _public_bytes(chain[0].public_key()):
        return Unusable("the key does not belong to the certificate")
    content = b"".join(_der(certificate) for certificate in chain)
    return Pair(
        fingerprint=hashlib.sha256(content + public).hexdigest(),
        names=_names(chain[0]),
        not_before=chain[0].not_valid_before_utc.timestamp(),
        not_after=min(certificate.not_valid_after_utc.timestamp() for certificate in chain),
        made_here=made_here,
    )


def make(names: Iterable[str], now: float) -> tuple[bytes, bytes]:
    """A new self-signed certificate and its key (PEM): ECDSA P-256, the cheapest handshake for both sides."""
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415

    key = ec.generate_private_key(ec.SECP256R1())
    start = dt.datetime.fromtimestamp(now, dt.UTC) - dt.timedelta(hours=1)  # peers' clocks
    nobody = x509.Name([])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(nobody)
        .issuer_name(nobody)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=VALID_DAYS))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=True)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([x509.oid.ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return (
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _general_name(name: str) -> x509.GeneralName:
    from cryptography import x509  # noqa: PLC0415

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    from cryptography import x509  # noqa: PLC0415

    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    hosts = found.get_values_for_type(x509.DNSName)
    return (*hosts, *(str(address) for address in found.get_values_for_type(x509.IPAddress)))


def _public_bytes(key: object) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    encoded: bytes = key.public_bytes(  # type: ignore[attr-defined]  # every kind of public key has it
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


def _der(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    return certificate.public_bytes(serialization.Encoding.DER)
