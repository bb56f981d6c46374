"""What the environment says of TLS, and what keeps a TLS connection from being made, in words for a user.

OpenSSL, Python, httpx and litellm read some variables while litellm is imported. One that cannot be used ends
that import with an error of the operating system's, so they are looked at before.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from moa_tui.errors import ModelError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The number that OpenSSL gives each reason why a certificate is not believed (its x509_vfy.h).
_NOT_YET_VALID, _EXPIRED = 9, 10
_UNTRUSTED = {2, 18, 19, 20, 21}
_OTHER_NAME = {62, 64}

# What OpenSSL calls bytes that are no TLS, which is what a plain http server answers with.
_PLAIN_HTTP = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
_OLD_TLS = {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "NO_PROTOCOLS_AVAILABLE"}
_WANTS_CERTIFICATE = {"TLSV13_ALERT_CERTIFICATE_REQUIRED", "SSLV3_ALERT_BAD_CERTIFICATE"}


def check_environment(environ: Mapping[str, str]) -> None:
    """Raise UsageError for a variable by which no TLS connection can be made, whatever the server."""
    if (problem := problem_of(environ)) is not None:
        raise UsageError(problem)


def problem_of(environ: Mapping[str, str]) -> str | None:
    """Which variable keeps every TLS connection from being made, and what to do; None for none."""
    # With neither a file that is there, litellm goes by the certificates that it brings.
    for name in ("SSL_VERIFY", "SSL_CERT_FILE"):
        path = environ.get(name, "")
        if path and Path(path).exists() and (why := _unreadable(path)) is not None:
            return f"{name} names {path}, and no certificates can be read there: {why}; correct or unset it"
    if (path := environ.get("SSLKEYLOGFILE", "")) and (why := _unwritable(path)) is not None:
        return f"SSLKEYLOGFILE names {path}, which cannot be written: {why}; correct or unset it"
    if (ciphers := environ.get("SSL_SECURITY_LEVEL", "")) and not _are_ciphers(ciphers):
        return f"SSL_SECURITY_LEVEL is {ciphers!r}, which names no cipher that is known here; unset it"
    return None


def unused_files(environ: Mapping[str, str]) -> list[str]:
    """The variables that name certificates which are not there, or which are not looked at, in words."""
    lines = []
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        path = environ.get(name, "")
        if path and not Path(path).exists():
            lines.append(f"{name} names {path}, which is not there")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if environ.get(name, "") and not environ.get("SSL_CERT_FILE", ""):
            lines.append(f"{name} is not looked at; name its file in SSL_CERT_FILE")
    return lines


def _unreadable(path: str) -> str | None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        return "it holds no certificate in PEM form"
    except OSError as error:
        return error.strerror or type(error).__name__
    return None


def _unwritable(path: str) -> str | None:
    try:
        with Path(path).open("a", encoding="ascii"):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def _are_ciphers(names: str) -> bool:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).set_ciphers(names)
    except ssl.SSLError:
        return False
    return True


def tls_fault(error: ssl.SSLError, server: str, environ: Mapping[str, str]) -> ModelError:
    """The ModelError for a TLS connection to `server`, an address, that could not be made."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ModelError("tls", _about_certificate(error, server, environ))
    reason = error.reason or ""
    if reason in _PLAIN_HTTP:
        plain = server.replace("https://", "http://", 1)
        return ModelError("tls", f"{server} does not answer in TLS: is it a plain http server? Write {plain}")
    if reason in _OLD_TLS:
        said = "offers only versions of TLS that are no longer safe; it has to be brought up to date"
        return ModelError("tls", f"{server} {said}")
    if reason in _WANTS_CERTIFICATE:
        said = "wants a certificate of this machine; name its PEM file in SSL_CERTIFICATE"
        return ModelError("tls", f"{server} {said}")
    words = (reason or type(error).__name__).replace("_", " ").lower()
    return ModelError("tls", f"no TLS connection to {server} could be made ({words}); is the address right?")


def _about_certificate(error: ssl.SSLCertVerificationError, server: str, environ: Mapping[str, str]) -> str:
    """What is wrong with a server's certificate, and what to do."""
    said = " ".join(str(error.verify_message).split())[:200].rstrip(".")
    if error.verify_code == _EXPIRED:
        return (
            f"the certificate of {server} has expired; it has to be renewed there, "
            "unless this machine's clock is wrong"
        )
    if error.verify_code == _NOT_YET_VALID:
        return f"the certificate of {server} is not valid yet; is this machine's clock right?"
    if error.verify_code in _OTHER_NAME:
        return f"the certificate of {server} is for another name ({said}); write the address with that name"
    if error.verify_code in _UNTRUSTED:
        own = environ.get("SSL_CERT_FILE", "")
        known = f"SSL_CERT_FILE names {own}, which does not hold it. " if own and Path(own).exists() else ""
        unused = "".join(f"{line}. " for line in unused_files(environ))
        return (
            f"the certificate of {server} is signed by nobody that this machine trusts ({said}). {known}"
            f"{unused}Write the authority's certificate into a PEM file, beside those that you need for "
            "other servers, and name that file in SSL_CERT_FILE"
        )
    return f"the certificate of {server} is not believed: {said}"
