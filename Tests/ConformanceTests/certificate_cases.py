"""The cases of the suites x509 and spiffe: an honest path, and one rule broken at a time."""

import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID as EKU
from cryptography.x509.oid import NameOID

NOW = dt.datetime(2031, 2, 3, 4, 5, 6, tzinfo=dt.timezone.utc)
DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)
MESH = "spiffe://mesh.example/ns/web/svc/cart"
PRIVATE = x509.ObjectIdentifier("1.3.6.1.4.1.55738.1")
DEFAULT = object()


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) if text else x509.Name([])


def usage(**on):
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement "
        "key_cert_sign crl_sign encipher_only decipher_only"
    ).split()
    return x509.KeyUsage(**{each: on.get(each, False) for each in names})


CA_USAGE = usage(key_cert_sign=True, crl_sign=True)
LEAF_USAGE = usage(digital_signature=True)
RAW = {
    "key_usage": "2.5.29.15", "eku": "2.5.29.37", "san": "2.5.29.17", "basic": "2.5.29.19",
    "constraints": "2.5.29.30", "aki": "2.5.29.35", "ski": "2.5.29.14",
}


def raw(field, der):
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(RAW[field]), der)


class Pair:
    """A certificate with its key; `extensions` maps a field to (value, critical) or None."""

    def __init__(
        self, subject, issuer=None, *, ca=False, key=None, start=None, end=None, serial=None,
        issuer_name=None, extensions=None, more=(), digest=None, signer=None,
    ):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        signer = signer or (issuer.key if issuer else self.key)
        public = self.key.public_key()
        above = issuer.key.public_key() if issuer else public
        values = {
            "basic": (x509.BasicConstraints(ca, None), True),
            "key_usage": (CA_USAGE if ca else LEAF_USAGE, True),
            "ski": (x509.SubjectKeyIdentifier.from_public_key(public), False),
            "aki": (x509.AuthorityKeyIdentifier.from_issuer_public_key(above), False),
        }
        if not ca:
            values["eku"] = (x509.ExtendedKeyUsage([EKU.SERVER_AUTH, EKU.CLIENT_AUTH]), False)
        values.update(extensions or {})
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject if isinstance(subject, x509.Name) else name(subject))
            .issuer_name(
                issuer_name if issuer_name is not None
                else issuer.cert.subject if issuer else name(subject)
            )
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start or NOW - DAY)
            .not_valid_after(end or NOW + DAY)
        )
        if serial is not None:
            builder._serial_number = serial
        # Not `add_extension`, which refuses what some cases are about.
        builder._extensions = [
            x509.Extension(each[0].oid, each[1], each[0])
            for each in list(values.values()) + list(more)
            if each is not None
        ]
        if isinstance(signer, ed25519.Ed25519PrivateKey):
            digest = None
        else:
            digest = digest or hashes.SHA256()
        self.cert = builder.sign(signer, digest)

    @property
    def pem(self):
        return pem(self.cert.public_bytes(serialization.Encoding.DER))

    def resigned(self, signer, names, *how):
        """The same contents, signed in a way that the library refuses to certificates."""
        old, new = names
        body = sequence_body(self.cert.tbs_certificate_bytes).replace(old, new, 1)
        contents = tlv(0x30, body)
        signature = tlv(0x03, b"\0" + signer.sign(contents, *how))
        self.der = tlv(0x30, contents + new + signature)
        self.__class__ = Resigned
        return self

    def altered(self, change):
        """The PEM of the certificate after `change` of its DER; the signature breaks."""
        return pem(change(self.cert.public_bytes(serialization.Encoding.DER)))


class Resigned(Pair):
    """A pair whose certificate is `der` instead."""

    @property
    def pem(self):
        return pem(self.der)


def tlv(tag, body):
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + body


def sequence_body(der):
    return der[2 + (der[1] & 0x7F if der[1] & 0x80 else 0) :]


ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
ECDSA_SHA1 = bytes.fromhex("300906072a8648ce3d0401")
ECDSA_SHA224 = bytes.fromhex("300a06082a8648ce3d040301")
RSA_SHA256 = bytes.fromhex("300d06092a864886f70d01010b0500")
RSA_SHA1 = bytes.fromhex("300d06092a864886f70d0101050500")
RSA_MD5 = bytes.fromhex("300d06092a864886f70d0101040500")


def pem(der, label="CERTIFICATE"):
    import base64

    text = base64.b64encode(der).decode()
    lines = "\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"-----BEGIN {label}-----\n{lines}\n-----END {label}-----\n"


def names(*values, critical=True):
    return (x509.SubjectAlternativeName(list(values)), critical)


def uri(text):
    value = x509.UniformResourceIdentifier._init_without_validation(text)
    return value


def dns(text):
    return x509.DNSName._init_without_validation(text)


class Maker:
    """One root and one intermediate for many leaves."""

    def __init__(self, emit, suite):
        self.emit, self.suite = emit, suite
        self.root = Pair("Root", ca=True)
        self.middle = Pair("Middle", self.root, ca=True)

    def leaf(self, issuer=None, subject="", san=None, extensions=None, **options):
        san = san or (names(uri(MESH)) if self.suite == "spiffe" else names(dns("a.example"), critical=not subject))
        return Pair(subject, issuer or self.middle, extensions={"san": san, **(extensions or {})}, **options)

    def case(
        self, expected, label, leaf, *, roots=None, chain=None, crls=(), role="server", time=NOW,
        **fields,
    ):
        def text(each):
            return each if isinstance(each, str) else each.pem

        if self.suite == "spiffe":
            fields.setdefault("trust_domain", "mesh.example")
            if expected == "accept":
                fields.setdefault("expected_spiffe_id", MESH)
        else:
            fields.setdefault("require_spiffe", False)
            fields.setdefault("max_depth", None)
            fields.setdefault("peer_name", {"kind": "DNS", "value": "a.example"})
        self.emit(
            expected, label=label, role=role, leaf=text(leaf),
            roots=[text(each) for each in (roots if roots is not None else [self.root])],
            chain=[text(each) for each in (chain if chain is not None else [self.middle])],
            crls=list(crls), time=time.isoformat(), **fields,
        )

    def accept(self, label, leaf, **fields):
        self.case("accept", label, leaf, **fields)

    def reject(self, label, leaf, **fields):
        self.case("reject", label, leaf, **fields)


def crl(issuer, revoked=(), *, signer=None, start=None, end=None, number=1, more=(), dates=None):
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.cert.subject)
        .last_update(start or NOW - DAY)
        .next_update(end or NOW + DAY)
    )
    for serial in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial)
            .revocation_date(dates or NOW - DAY).build()
        )
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), False)
    for value, critical in more:
        builder = builder.add_extension(value, critical)
    made = builder.sign((signer or issuer).key, hashes.SHA256())
    return pem(made.public_bytes(serialization.Encoding.DER), "X509 CRL")


def times(maker):
    """M1 to M3 and the edges of validity."""
    for role in ("server", "client"):
        maker.accept("honest", maker.leaf(), role=role)
    edge = maker.leaf(start=NOW, end=NOW)
    maker.accept("exactly now", edge)
    maker.accept("a fraction later", edge, time=NOW + dt.timedelta(milliseconds=5))
    maker.reject("M1 expired by 1 s", maker.leaf(end=NOW - SECOND))
    maker.reject("M2 not yet valid", maker.leaf(start=NOW + SECOND))
    maker.reject("a fraction too early", maker.leaf(start=NOW), time=NOW - dt.timedelta(milliseconds=1))
    old = Pair("Old", maker.root, ca=True, end=NOW - SECOND)
    maker.reject("M3 expired intermediate", maker.leaf(old), chain=[old])
    early = Pair("Early", maker.root, ca=True, start=NOW + SECOND)
    maker.reject("intermediate not yet valid", maker.leaf(early), chain=[early])
    root = Pair("Old root", ca=True, end=NOW - SECOND)
    maker.reject("expired root", maker.leaf(root), roots=[root], chain=[])
    far = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.timezone.utc)
    maker.accept("no end", maker.leaf(end=far))
    maker.accept("2050", maker.leaf(end=dt.datetime(2050, 1, 1, tzinfo=dt.timezone.utc)))


def purposes(maker):
    """M4, M5 and the key usages."""
    only = {"server": EKU.SERVER_AUTH, "client": EKU.CLIENT_AUTH}
    for role, other in (("server", "client"), ("client", "server")):
        right = maker.leaf(extensions={"eku": (x509.ExtendedKeyUsage([only[role]]), False)})
        maker.accept(f"EKU of {role}", right, role=role)
        maker.reject(f"M4 EKU of {role} shown by a {other}", right, role=other)
    maker.accept("without EKU", maker.leaf(extensions={"eku": None}))
    for label, purpose in (("code signing", EKU.CODE_SIGNING), ("any", EKU.ANY_EXTENDED_KEY_USAGE)):
        leaf = maker.leaf(extensions={"eku": (x509.ExtendedKeyUsage([purpose]), False)})
        maker.reject(f"M5 {label} only", leaf)
    bad = Pair("Mail CA", maker.root, ca=True, extensions={"eku": (x509.ExtendedKeyUsage([EKU.EMAIL_PROTECTION]), False)})
    maker.reject("EKU of the intermediate", maker.leaf(bad), chain=[bad])
    maker.reject("empty EKU", maker.leaf(extensions={"eku": (raw("eku", b"\x30\0"), False)}))
    for label, value in (
        ("keyCertSign", usage(digital_signature=True, key_cert_sign=True)),
        ("cRLSign", usage(digital_signature=True, crl_sign=True)),
    ):
        maker.reject(f"M13 leaf with {label}", maker.leaf(extensions={"key_usage": (value, True)}))
    maker.reject("key usage without use", maker.leaf(extensions={"key_usage": (usage(data_encipherment=True), True)}))
    maker.reject("empty key usage", maker.leaf(extensions={"key_usage": (raw("key_usage", b"\x03\x01\0"), True)}))
    maker.reject("malformed key usage", maker.leaf(extensions={"key_usage": (raw("key_usage", b"\x05\0"), True)}))


def issuers(maker):
    """M7, M8, M13 to M16: who may issue."""
    foreign = Pair("Foreign", ca=True)
    maker.reject("M7 foreign root", maker.leaf(foreign), chain=[])
    maker.reject("foreign root sent along", maker.leaf(foreign), chain=[foreign])
    twin = Pair("Root", ca=True)
    maker.reject("M8 root of the same name", maker.leaf(twin), chain=[])
    maker.reject("twin sent along", maker.leaf(twin), chain=[twin])
    maker.accept("twin beside the root", maker.leaf(twin), roots=[maker.root, twin], chain=[])
    maker.reject("self-signed", Pair("", extensions={"san": names(uri(MESH), dns("a.example"))}), chain=[])
    own = Pair("me", extensions={"san": names(uri(MESH), dns("a.example"), critical=False)})
    maker.reject("self-signed leaf among the roots", own, roots=[maker.root, own], chain=[])
    maker.reject("missing intermediate", maker.leaf(), chain=[])
    maker.reject("no roots", maker.leaf(), roots=[])
    useless = [Pair(f"Useless {index}", foreign, ca=True) for index in range(3)]
    maker.accept("useless ones, reversed", maker.leaf(), chain=useless + [maker.middle, maker.root, foreign])
    maker.accept("junk in the chain", maker.leaf(), chain=[pem(b"\x30\x03\x02\x01\x01"), maker.middle])
    maker.accept("the leaf sent twice", (leaf := maker.leaf()), chain=[leaf, maker.middle, leaf])
    maker.accept("intermediate as root", maker.leaf(), roots=[maker.middle], chain=[maker.root])
    for label, extensions in (
        ("M13 CA leaf", {"basic": (x509.BasicConstraints(True, None), True), "key_usage": (usage(digital_signature=True, key_cert_sign=True), True)}),
        ("CA leaf without keyCertSign", {"basic": (x509.BasicConstraints(True, None), True)}),
    ):
        maker.reject(label, maker.leaf(extensions=extensions))
    shown = Pair("Shown", maker.root, ca=True, extensions={"san": names(uri(MESH), dns("a.example"), critical=False)})
    maker.reject("M14 issuing CA as leaf", shown)
    peer = maker.leaf(subject="peer", san=names(uri(MESH), dns("a.example"), critical=False))
    maker.reject("M15 leaf issued by leaf", maker.leaf(peer), chain=[peer, maker.middle])
    for label, extensions in (
        ("no basic constraints", {"basic": None}),
        ("basic constraints false", {"basic": (x509.BasicConstraints(False, None), True)}),
        ("basic constraints not critical", {"basic": (x509.BasicConstraints(True, None), False)}),
        ("no keyCertSign", {"key_usage": (usage(crl_sign=True), True)}),
        ("no SKI", {"ski": None}),
        ("no AKI", {"aki": None}),
    ):
        bad = Pair("Bad", maker.root, ca=True, extensions=extensions)
        maker.reject(f"intermediate: {label}", maker.leaf(bad), chain=[bad])
        if label != "no AKI":
            bad = Pair("Bad root", ca=True, extensions=extensions)
            maker.reject(f"root: {label}", maker.leaf(bad), roots=[bad], chain=[])
    plain = Pair("No AKI", ca=True, extensions={"aki": None})
    maker.accept("root without AKI", maker.leaf(plain), roots=[plain], chain=[])
    unnamed = Pair("Not", maker.root, ca=True, issuer_name=name("Other"))
    maker.reject("name chaining broken", maker.leaf(unnamed), chain=[unnamed])
    nameless = Pair("", maker.root, ca=True)
    maker.reject("CA without a name", maker.leaf(nameless), chain=[nameless])
    maker.reject("leaf without issuer", maker.leaf(issuer_name=x509.Name([])))


def lengths(maker):
    """M16, M33 and max_depth."""

    def chain(count, limits, self_issued=()):
        pairs = [maker.root]
        for index in range(count):
            subject = pairs[-1].cert.subject if index in self_issued else f"Level {index}"
            limit = limits.get(index)
            basic = (x509.BasicConstraints(True, limit), True)
            pairs.append(Pair(subject, pairs[-1], ca=True, extensions={"basic": basic}))
        return pairs[1:]

    for expected, label, count, limits, self_issued in (
        ("accept", "pathlen 0", 1, {0: 0}, ()),
        ("accept", "pathlen 1", 1, {0: 1}, ()),
        ("reject", "M16 pathlen 0 and an intermediate", 2, {0: 0, 1: 0}, ()),
        ("accept", "pathlen may grow", 2, {0: 1, 1: 2}, ()),
        ("reject", "pathlen in the middle", 3, {0: 1, 1: 0, 2: 0}, ()),
        ("accept", "self-issued do not count", 3, {0: 1, 1: 1, 2: 0}, (1,)),
        ("accept", "a long path", 8, {}, ()),
    ):
        pairs = chain(count, limits, self_issued)
        maker.case(expected, label, maker.leaf(pairs[-1]), chain=pairs)
    root = Pair("Short root", ca=True, extensions={"basic": (x509.BasicConstraints(True, 0), True)})
    middle = Pair("Below", root, ca=True)
    maker.reject("pathlen of the root", maker.leaf(middle), roots=[root], chain=[middle])
    maker.accept("pathlen of the root kept", maker.leaf(root), roots=[root], chain=[])
    long = chain(100, {})
    maker.reject("M33 a hundred intermediates", maker.leaf(long[-1]), chain=long[::-1])
    if maker.suite == "x509":
        four = chain(4, {})
        maker.accept("depth 4 of 4", maker.leaf(four[-1]), chain=four, max_depth=4)
        maker.reject("depth 4 of 3", maker.leaf(four[-1]), chain=four, max_depth=3)
        maker.reject("depth 0", maker.leaf(), max_depth=0)
        maker.accept("depth 0 without", maker.leaf(maker.root), chain=[], max_depth=0)
        maker.accept("depth 100", maker.leaf(long[-1]), chain=long, max_depth=100)


def extensions(maker):
    """M18 and the form of certificates."""
    unknown = (x509.UnrecognizedExtension(PRIVATE, b"\x05\0"), True)
    ignored = (x509.UnrecognizedExtension(PRIVATE, b"\x05\0"), False)
    maker.accept("unknown extension", maker.leaf(more=[ignored]))
    maker.reject("M18 unknown critical extension", maker.leaf(more=[unknown]))
    bad = Pair("Bad", maker.root, ca=True, more=[unknown])
    maker.reject("M18 in the intermediate", maker.leaf(bad), chain=[bad])
    bad = Pair("Bad", ca=True, more=[unknown])
    maker.reject("M18 in the root", maker.leaf(bad), roots=[bad], chain=[])
    maker.reject("an extension twice", maker.leaf(more=[ignored, ignored]))
    for field in ("aki", "ski"):
        value = maker.leaf().cert.extensions.get_extension_for_oid(x509.ObjectIdentifier(RAW[field])).value
        maker.reject(f"{field} critical", maker.leaf(extensions={field: (value, True)}))
    maker.reject("no AKI", maker.leaf(extensions={"aki": None}))
    maker.accept("no SKI", maker.leaf(extensions={"ski": None}))
    maker.accept("no basic constraints", maker.leaf(extensions={"basic": None}))
    maker.reject("malformed SAN", maker.leaf(san=(raw("san", b"a.example"), True)))
    maker.reject("empty SAN", maker.leaf(san=(raw("san", b"\x30\0"), True)))
    maker.reject("SAN not critical without a subject", maker.leaf(san=names(uri(MESH), dns("a.example"), critical=False)))
    aia = x509.AuthorityInformationAccess([x509.AccessDescription(x509.OID_CA_ISSUERS, dns("a.example"))])
    maker.accept("AIA", maker.leaf(more=[(aia, False)]))
    maker.reject("AIA critical", maker.leaf(more=[(aia, True)]))
    maker.reject("AIA malformed", maker.leaf(more=[(x509.UnrecognizedExtension(x509.OID_AUTHORITY_INFORMATION_ACCESS, b"x"), False)]))
    policy = (x509.PolicyConstraints(3, None), False)
    bad = Pair("Bad", maker.root, ca=True, more=[policy])
    maker.reject("policy constraints not critical", maker.leaf(bad), chain=[bad])
    constraints = (x509.NameConstraints([dns("a.example")], None), True)
    maker.reject("name constraints in a leaf", maker.leaf(more=[constraints]))
    for label, serial in (("zero", 0), ("22 octets", 1 << 170), ("negative", None)):
        if serial is not None:
            maker.reject(f"serial {label}", maker.leaf(serial=serial))
    nought = Pair("Nought", ca=True, serial=0)
    maker.accept("a root with the serial zero", maker.leaf(nought), roots=[nought], chain=[])
    nought = Pair("Nought", maker.root, ca=True, serial=0)
    maker.reject("an intermediate with the serial zero", maker.leaf(nought), chain=[nought])
    maker.accept("serial of 20 octets", maker.leaf(serial=(1 << 159) - 1))
    good = maker.leaf()
    maker.reject("trailing byte", good.altered(lambda der: der + b"\0"))
    maker.reject("cut", good.altered(lambda der: der[:-1]))
    maker.reject("signature altered", good.altered(lambda der: der[:-1] + bytes([der[-1] ^ 1])))
    maker.reject("version 2", good.altered(lambda der: der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x01", 1)))
    swapped = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040303")
    maker.reject("two signature algorithms", good.altered(lambda der: der.replace(*swapped, 1)))
    for label, changes in (
        ("without key id", x509.AuthorityKeyIdentifier(None, None, None)),
        ("of another key", x509.AuthorityKeyIdentifier(b"1" * 20, None, None)),
        ("with issuer and serial", x509.AuthorityKeyIdentifier(b"1" * 20, [x509.DirectoryName(name("x"))], 7)),
    ):
        root = Pair("AKI root", ca=True, extensions={"aki": (changes, False)})
        maker.reject(f"root's AKI {label}", maker.leaf(root), roots=[root], chain=[])


def algorithms(maker):
    """M20."""
    strong = {
        "P-384": ec.generate_private_key(ec.SECP384R1()), "Ed25519": ed25519.Ed25519PrivateKey.generate(),
        "RSA 2048": rsa.generate_private_key(65537, 2048), "P-521": ec.generate_private_key(ec.SECP521R1()),
    }
    weak = {
        "RSA 2052": rsa.generate_private_key(65537, 2052),
        "P-192": ec.generate_private_key(ec.SECP192R1()), "RSA 1024": rsa.generate_private_key(65537, 1024),
        "DSA": dsa.generate_private_key(2048), "secp256k1": ec.generate_private_key(ec.SECP256K1()),
    }
    for expected, keys in (("accept", strong), ("reject", weak)):
        for label, key in keys.items():
            maker.case(expected, f"leaf key {label}", maker.leaf(key=key))
            middle = Pair("Issuer", maker.root, ca=True, key=key)
            maker.case(expected, f"issuer key {label}", maker.leaf(middle), chain=[middle])
            root = Pair("Root of its own", ca=True, key=key)
            maker.case(expected, f"root key {label}", maker.leaf(root), roots=[root], chain=[])
    for label, algorithm, digest in (
        ("SHA-1", ECDSA_SHA1, hashes.SHA1()), ("SHA-224", ECDSA_SHA224, hashes.SHA224())
    ):
        swap = (ECDSA_SHA256, algorithm)
        leaf = maker.leaf().resigned(maker.middle.key, swap, ec.ECDSA(digest))
        maker.reject(f"M20 leaf signed with {label}", leaf)
        middle = Pair("Weak", maker.root, ca=True)
        middle.resigned(maker.root.key, swap, ec.ECDSA(digest))
        maker.reject(f"M20 intermediate signed with {label}", maker.leaf(middle), chain=[middle])
    same = maker.leaf().resigned(maker.middle.key, (ECDSA_SHA256, ECDSA_SHA256), ec.ECDSA(hashes.SHA256()))
    maker.accept("signed by hand", same)
    for label, digest in (("SHA-384", hashes.SHA384()), ("SHA-512", hashes.SHA512())):
        maker.accept(f"signed with {label}", maker.leaf(digest=digest))
    middle = Pair("RSA issuer", maker.root, ca=True, key=strong["RSA 2048"])
    maker.accept("RSA with SHA-512", maker.leaf(middle, digest=hashes.SHA512()), chain=[middle])
    for label, algorithm, digest in (
        ("SHA-1", RSA_SHA1, hashes.SHA1()), ("MD5", RSA_MD5, hashes.MD5())
    ):
        leaf = maker.leaf(middle).resigned(
            middle.key, (RSA_SHA256, algorithm), padding.PKCS1v15(), digest
        )
        maker.reject(f"RSA with {label}", leaf, chain=[middle])


def encodings(maker):
    """What OpenSSL and others refuse to read, or read in another way, in a leaf signed all the same."""

    def spoilt(label, old, new, **fields):
        leaf = maker.leaf(subject=fields.pop("subject", ""), **fields)
        key = maker.middle.key
        body = leaf.cert.tbs_certificate_bytes
        assert body.count(old) == 1 and len(old) == len(new), label
        contents = body.replace(old, new)
        leaf.der = tlv(0x30, contents + ECDSA_SHA256 + tlv(0x03, b"\0" + key.sign(contents, ec.ECDSA(hashes.SHA256()))))
        leaf.__class__ = Resigned
        maker.reject(label, leaf)

    client = bytes.fromhex("06082b06010505070302")
    spoilt("an OID with needless bytes", client, bytes.fromhex("06088006010505070302"))
    spoilt("an OID that is cut short", client, bytes.fromhex("06082b06010505070382"))
    cn = bytes.fromhex("0603550403")
    san = names(uri(MESH), dns("a.example"), critical=False)
    peer = dict(subject="peer", san=san)
    spoilt("an attribute's OID with needless bytes", cn + b"\x0c\x04peer", b"\x06\x03\x80\x04\x03\x0c\x04peer", **peer)
    spoilt("a common name that is a number", b"\x0c\x04peer", b"\x02\x04peer", **peer)
    spoilt("a common name that is no UTF-8", b"\x0c\x04peer", b"\x0c\x04p\xff\xfer", **peer)
    two = x509.Name([x509.RelativeDistinguishedName([
        x509.NameAttribute(NameOID.COMMON_NAME, "aa"), x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "bb"),
    ])])
    one, other = bytes.fromhex("30090603550403") + b"\x0c\x02aa", bytes.fromhex("3009060355040b") + b"\x0c\x02bb"
    maker.accept("two attributes in one name", maker.leaf(subject=two, san=san))
    spoilt("attributes out of order", one + other, other + one, subject=two, san=san)
    far = dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.timezone.utc)
    for digits in ("99991331235959", "99990231235959", "99991231245959", "99991231236059", "99991231235960"):
        spoilt(f"the time {digits}", b"99991231235959Z", digits.encode() + b"Z", end=far)
    spoilt("a leap second", b"310204040506Z", b"310204040560Z")
    spoilt("a point that is not on the curve", *off_the_curve(key := ec.generate_private_key(ec.SECP256R1())), key=key)
    points = x509.ObjectIdentifier("2.5.29.31")
    for label, value in (("empty", "30023000"), ("with reasons alone", "3006300481020640"), ("with no issuer", "30043002a200"),
        ("with another kind of name", "30063004a002a400")):
        maker.reject(f"a distribution point {label}", maker.leaf(more=[(x509.UnrecognizedExtension(points, bytes.fromhex(value)), False)]))
    form = uri(MESH) if maker.suite == "spiffe" else dns("a.example")
    text = form.value.encode()
    plain = bytes([0x86 if maker.suite == "spiffe" else 0x82, len(text)]) + text
    for label, value in (
        ("another name without its value", "a0050603550403"), ("another name without a type", "a0020500"),
        ("a registered id that is none", "880180"), ("an empty registered id", "8800"),
    ):
        maker.reject(label, maker.leaf(san=(raw("san", tlv(0x30, plain + bytes.fromhex(value))), True)))
    maker.accept("another name", maker.leaf(san=(raw("san", tlv(0x30, plain + bytes.fromhex("a0090603550403a0020500"))), True)))
    maker.reject("an AKI with an empty key id", maker.leaf(extensions={"aki": (raw("aki", bytes.fromhex("30028000")), False)}))


def off_the_curve(key):
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return point, point[:-1] + bytes([point[-1] ^ 1])


def constraints(maker):
    """M17 and the name constraints of RFC 5280."""

    def case(expected, label, permitted, excluded, *sans, subject="", critical=True, **fields):
        limits = x509.NameConstraints([dns("unused")], None)
        limits._permitted_subtrees, limits._excluded_subtrees = permitted, excluded
        middle = Pair("Limited", maker.root, ca=True, extensions={"constraints": (limits, critical)})
        if maker.suite == "spiffe":
            leaf = maker.leaf(middle, san=names(uri(MESH), *sans))
        else:
            leaf = maker.leaf(middle, subject=subject, san=names(dns("a.example"), *sans, critical=not subject))
        maker.case(expected, label, leaf, chain=[middle], **fields)

    u = uri
    case("accept", "URI host permitted", [u("mesh.example")], None, u(MESH) if maker.suite == "x509" else dns("b.example"))
    if maker.suite == "spiffe":
        case("reject", "M17 URI host not permitted", [u("other.example")], None)
        case("reject", "M17 URI host excluded", None, [u("mesh.example")])
        case("reject", "M17 subdomains only", [u(".mesh.example")], None)
        case("accept", "subdomain permitted", [u(".example")], None)
        return
    case("reject", "URI without a host", [u("mesh.example")], None, u("urn:x"))
    case("reject", "URI with an address", [u("mesh.example")], None, u("https://192.0.2.1/x"))
    case("accept", "permitted", [dns("a.example")], None)
    case("accept", "permitted, not critical", [dns("a.example")], None, critical=False)
    case("reject", "not permitted, not critical", [dns("b.example")], None, critical=False)
    case("accept", "permitted above", [dns("example")], None)
    case("reject", "not permitted", [dns("b.example")], None)
    case("reject", "ends alike", [dns("xample")], None)
    case("reject", "excluded", None, [dns("example")])
    case("reject", "permitted and excluded", [dns("example")], [dns("a.example")])
    case("reject", "second name excluded", None, [dns("b.example")], dns("b.example"))
    case("reject", "second name not permitted", [dns("a.example")], None, dns("b.example"))
    case("accept", "upper case", [dns("A.EXAMPLE")], None)
    case("reject", "leading period", [dns(".example")], None)
    case("reject", "wildcard constraint", [dns("*.example")], None)
    case("reject", "wildcard covers an excluded name", [dns("example")], [dns("x.b.example")], dns("*.b.example"))
    case("reject", "wildcard wider than permitted", [dns("a.example"), dns("x.b.example")], None, dns("*.b.example"))
    case("accept", "wildcard within permitted", [dns("example")], [dns("c.example")], dns("*.b.example"))
    case("reject", "malformed name under constraints", [dns("example")], None, dns(".b.example"))
    net, other = (x509.IPAddress(ipaddress.ip_network(each)) for each in ("192.0.2.0/24", "198.51.100.0/24"))
    ip, six = (x509.IPAddress(ipaddress.ip_address(each)) for each in ("192.0.2.1", "2001:db8::1"))
    case("accept", "address permitted", [net], None, ip)
    case("reject", "address not permitted", [other], None, ip)
    case("reject", "address excluded", None, [net], ip)
    case("accept", "address not excluded", None, [other], ip)
    case("reject", "IPv6 under IPv4", [net], None, six)
    case("accept", "other form permitted", [net], None)
    case("accept", "other form excluded", None, [net])
    case("reject", "address instead of a network", [ip], None, ip)
    case("reject", "holes in the mask", [raw_name(7, bytes([192, 0, 2, 0, 255, 0, 255, 0]))], None, ip)
    mail = x509.RFC822Name("me@b.example")
    case("accept", "mailbox permitted", [mail], None, mail)
    case("accept", "mail host permitted", [x509.RFC822Name("b.example")], None, mail)
    case("reject", "mail host not permitted", [x509.RFC822Name("c.example")], None, mail)
    case("reject", "mailbox excluded", None, [mail], mail)
    twice = x509.RFC822Name._init_without_validation("a@b@b.example")
    case("reject", "malformed mailbox", [x509.RFC822Name("b.example")], None, twice)
    case("reject", "malformed mail constraint", [twice], None, mail)
    foo, bar = x509.DirectoryName(name("foo")), x509.DirectoryName(name("bar"))
    case("accept", "directory permitted", [foo], None, foo, subject="foo")
    case("accept", "directory permitted in other case", [foo], None, subject="FOO")
    case("reject", "subject not permitted", [foo], None, foo, subject="bar")
    case("reject", "subject excluded", None, [foo], bar, subject="foo")
    case("reject", "directory name excluded", None, [foo], foo, subject="bar")
    othername = x509.OtherName(PRIVATE, b"\x05\0")
    case("reject", "unknown form constrained and present", [dns("example")], [othername], othername)
    case("accept", "unknown form constrained only", [dns("example")], [othername])
    case("reject", "constraints empty", None, None)
    case("reject", "constraints with empty lists", [], [])
    hosts = [uri(f"h{index}.example") for index in range(1000)]
    case("reject", "M33 many URI constraints and names", hosts, None, *[uri(f"https://h{999 - index}.example/") for index in range(1000)])
    boxes = [mailbox(f"h{index}.example") for index in range(1000)]
    case("reject", "M33 many mail constraints and names", boxes, None, *[mailbox(f"a@h{999 - index}.example") for index in range(1000)])
    many = [dns(f"x{index}.example") for index in range(2000)]
    case("accept", "many constraints", None, many)
    case("reject", "M33 many constraints and names", None, many, *[dns(f"y{index}.example") for index in range(1000)])
    limits = (x509.NameConstraints([dns("a.example")], None), True)
    root = Pair("Limited root", ca=True, extensions={"constraints": limits, "san": names(dns("z.example"), critical=False)})
    maker.accept("constraints of the root", maker.leaf(root), roots=[root], chain=[])
    maker.reject("violated constraints of the root", maker.leaf(root, san=names(dns("b.example"))), roots=[root], chain=[], peer_name=None)
    same = Pair(root.cert.subject, root, ca=True, extensions={"san": names(dns("z.example"), critical=False)})
    maker.accept("self-issued are exempt", maker.leaf(same), roots=[root], chain=[same])
    middle = Pair("Named CA", root, ca=True, extensions={"san": names(dns("z.example"), critical=False)})
    maker.reject("name of an intermediate", maker.leaf(middle), roots=[root], chain=[middle])
    narrow = Pair("Narrow", root, ca=True, extensions={"constraints": (x509.NameConstraints([dns("b.example")], None), True)})
    maker.reject("narrowed to nothing", maker.leaf(narrow), roots=[root], chain=[narrow])
    key = ec.generate_private_key(ec.SECP256R1())
    free = Pair("Free root", ca=True)
    barred = Pair("Shared", root, ca=True, key=key, extensions={"san": names(dns("z.example"), critical=False)})
    open_ = Pair("Shared", free, ca=True, key=key)
    maker.accept("the other path", maker.leaf(open_), roots=[root, free], chain=[barred, open_])


def mailbox(text):
    return x509.RFC822Name._init_without_validation(text)


def raw_name(tag, content):
    """An IPAddress whose bytes are not checked."""

    class Fake(ipaddress.IPv4Network):
        pass

    value = x509.IPAddress(ipaddress.ip_network("192.0.0.0/8"))
    fake = Fake("192.0.0.0/8")
    fake.network_address = ipaddress.IPv4Address(content[:4])
    fake.netmask = ipaddress.IPv4Address(content[4:])
    value._value = fake
    return value


def references(maker):
    """Names of RFC 9525."""

    def case(expected, label, reference, *sans, kind="DNS", subject="", **fields):
        leaf = maker.leaf(subject=subject, san=names(*sans, critical=not subject) if sans else None, **fields)
        maker.case(expected, label, leaf, peer_name={"kind": kind, "value": reference})

    case("accept", "exact", "b.example", dns("a.example"), dns("b.example"))
    case("accept", "case", "B.Example", dns("b.eXAMPLE"))
    case("reject", "other", "c.example", dns("b.example"))
    case("reject", "below", "x.b.example", dns("b.example"))
    case("reject", "above", "example", dns("b.example"))
    case("accept", "wildcard", "x.b.example", dns("*.b.example"))
    case("reject", "wildcard for itself", "b.example", dns("*.b.example"))
    case("reject", "wildcard over two labels", "y.x.b.example", dns("*.b.example"))
    case("reject", "wildcard within a label", "bar.b.example", dns("b*.b.example"))
    case("reject", "wildcard not leftmost", "x.y.example", dns("x.*.example"))
    case("reject", "two wildcards", "x.y.b.example", dns("*.*.b.example"))
    case("reject", "wildcard for a whole domain", "b.example", dns("*.example"))
    case("reject", "wildcard in an A-label", "xn--ab-x.b.example", dns("xn--*-x.b.example"))
    case("reject", "wildcard as reference", "*.b.example", dns("*.b.example"))
    case("reject", "lone wildcard", "example", dns("*"))
    case("reject", "common name only", "cn.example", uri("spiffe://x/y"), subject="cn.example")
    case("accept", "common name is ignored", "b.example", dns("b.example"), subject="other.example")
    case("reject", "empty reference", "", dns("b.example"))
    case("reject", "NUL", "b.example", dns("b.example\0.evil.example"))
    case("reject", "not ASCII", "xn--628h.example", x509.DNSName._init_without_validation("\U0001f61c.example"))
    ip = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
    six = x509.IPAddress(ipaddress.ip_address("2001:db8::1"))
    case("accept", "address", "192.0.2.1", ip, kind="IP")
    case("accept", "address as host", "192.0.2.1", ip)
    case("accept", "IPv6", "2001:db8::1", six, kind="IP")
    case("accept", "IPv6 in full", "2001:0DB8:0:0:0:0:0:1", six, kind="IP")
    case("reject", "other address", "192.0.2.2", ip, kind="IP")
    case("reject", "address as a DNS name", "192.0.2.1", dns("192.0.2.1"))
    case("reject", "address with zeros", "192.0.02.1", ip, kind="IP")
    case("reject", "network as a name", "192.0.2.0", x509.IPAddress(ipaddress.ip_network("192.0.2.0/24")), kind="IP")
    mail = x509.RFC822Name("Me@b.example")
    case("accept", "mailbox", "Me@B.example", mail, kind="RFC822")
    case("reject", "mailbox of other case", "me@b.example", mail, kind="RFC822")
    leaf = maker.leaf(subject="x", san=names(dns("a.example"), critical=True))
    maker.reject("SAN critical beside a subject", leaf)
    maker.accept("no name asked", maker.leaf(san=names(dns("z.example"))), peer_name=None)
    maker.reject("no SPIFFE id", maker.leaf(), require_spiffe=True)
    maker.accept("SPIFFE id", maker.leaf(san=names(uri(MESH), dns("a.example"))), require_spiffe=True)
    maker.reject("SPIFFE id, other name", maker.leaf(san=names(uri(MESH), dns("b.example"))), require_spiffe=True)


def graphs(maker):
    """Cycles and cross-signing."""

    def cross(one, two):
        """A certificate of `one`'s name and key, issued by `two`."""
        return Pair(one.cert.subject, two, ca=True, key=one.key)

    a, b, c = (Pair(label, ca=True) for label in ("A", "B", "C"))
    mesh = [cross(x, y) for x in (a, b, c) for y in (a, b, c) if x is not y]
    below = Pair("A1", a, ca=True)
    maker.accept("cross-signed roots", maker.leaf(below), roots=[a], chain=mesh + [below])
    maker.reject("a cycle without a root", maker.leaf(below), chain=mesh + [below])
    maker.accept("the other end of the mesh", maker.leaf(below), roots=[c], chain=mesh + [below])
    old = Pair(a.cert.subject, b, ca=True, key=a.key, end=NOW - SECOND)
    maker.accept("expired cross-signature", maker.leaf(a), roots=[a, b], chain=[old])
    twins = [Pair("Twin", maker.root, ca=True) for _ in range(300)]
    maker.reject("hundreds of issuers of one name", maker.leaf(Pair("Twin", ca=True)), chain=twins)
    layers = [[Pair(f"Layer {level}", maker.root, ca=True) for _ in range(4)] for level in range(8)]
    web = []
    for upper, lower in zip(layers, layers[1:]):
        web += [cross(low, high) for low in lower for high in upper]
    maker.reject("a web of many paths", maker.leaf(layers[-1][0]), chain=web[::-1], roots=[Pair("Nobody", ca=True)])


def revocation(maker):
    """M19."""
    leaf = maker.leaf()
    serial, other = leaf.cert.serial_number, x509.random_serial_number()

    def case(expected, label, *lists, **fields):
        maker.case(expected, f"M19 {label}", fields.pop("leaf", leaf), crls=lists, **fields)

    case("accept", "not revoked", crl(maker.middle, [other]))
    case("accept", "empty list", crl(maker.middle))
    case("reject", "revoked", crl(maker.middle, [other, serial]))
    case("reject", "revoked in the future", crl(maker.middle, [serial], dates=NOW + DAY))
    case("accept", "serial of another issuer", crl(maker.middle), crl(maker.root, [serial]))
    case("reject", "no list of the issuer", crl(maker.root))
    case("reject", "stale", crl(maker.middle, start=NOW - 3 * DAY, end=NOW - SECOND))
    case("reject", "not yet in force", crl(maker.middle, start=NOW + SECOND))
    case("reject", "forged", crl(maker.middle, signer=Pair("x", ca=True)))
    case("reject", "signed by the root instead", crl(maker.middle, signer=maker.root))
    case("reject", "intermediate revoked", crl(maker.middle), crl(maker.root, [maker.middle.cert.serial_number]))
    case("reject", "without a number", crl(maker.middle, number=None))
    unknown = x509.UnrecognizedExtension(PRIVATE, b"\x05\0")
    case("reject", "unknown critical extension", crl(maker.middle, more=[(unknown, True)]))
    case("accept", "unknown extension", crl(maker.middle, more=[(unknown, False)]))
    case("reject", "delta", crl(maker.middle, more=[(x509.DeltaCRLIndicator(1), True)]))
    case("reject", "serial twice", crl(maker.middle, [other, other]))
    case("accept", "large", crl(maker.middle, [x509.random_serial_number() for _ in range(5000)]))
    unable = Pair("Unable", maker.root, ca=True, extensions={"key_usage": (usage(key_cert_sign=True), True)})
    case("reject", "issuer without cRLSign", crl(unable), leaf=maker.leaf(unable), chain=[unable])

    def scope(**on):
        fields = dict(
            full_name=None, relative_name=None, only_contains_user_certs=False,
            only_contains_ca_certs=False, only_some_reasons=None, indirect_crl=False,
            only_contains_attribute_certs=False,
        )
        return (x509.IssuingDistributionPoint(**{**fields, **on}), True)

    point = [uri("http://a.example/1.crl")]
    named = maker.leaf(more=[(x509.CRLDistributionPoints([x509.DistributionPoint(point, None, None, None)]), False)])
    case("accept", "in scope", crl(maker.middle, more=[scope(full_name=point)]), leaf=named)
    case("reject", "out of scope", crl(maker.middle, more=[scope(full_name=[uri("http://a.example/2.crl")])]), leaf=named)
    both = point + [dns("a.example")]
    case("reject", "scope with a name that is no URI", crl(maker.middle, more=[scope(full_name=both)]), leaf=named)
    case("reject", "scope without a point", crl(maker.middle, more=[scope(full_name=point)]))
    case("accept", "users only", crl(maker.middle, more=[scope(only_contains_user_certs=True)]))
    case("reject", "CAs only", crl(maker.middle, more=[scope(only_contains_ca_certs=True)]))
    case("reject", "attributes only", crl(maker.middle, more=[scope(only_contains_attribute_certs=True)]))
    case("reject", "indirect", crl(maker.middle, more=[scope(indirect_crl=True)]))
    case("reject", "users only, for a CA", crl(maker.middle), crl(maker.root, more=[scope(only_contains_user_certs=True)]))


def identities(maker):
    """M6 and M9 to M12: what an SVID is."""

    def case(expected, label, *sans, **fields):
        spiffe = fields.pop("spiffe", None)
        leaf = maker.leaf(san=names(*sans) if sans else None, extensions=fields.pop("extensions", None))
        if expected == "accept" and spiffe:
            fields["expected_spiffe_id"] = spiffe
        maker.case(expected, label, leaf, **fields)

    base = "spiffe://mesh.example"
    case("accept", "with DNS names", uri(MESH), dns("a.example"))
    case("accept", "DNS name first", dns("a.example"), uri(MESH))
    case("reject", "M6 foreign trust domain", uri("spiffe://other.example/ns/web/svc/cart"))
    case("reject", "trust domain asked for", uri(MESH), trust_domain="other.example")
    case("reject", "longer trust domain", uri("spiffe://mesh.example.evil.example/x"))
    case("reject", "subdomain", uri("spiffe://x.mesh.example/x"))
    case("reject", "M9 two URI names", uri(MESH), uri("spiffe://mesh.example/other"))
    case("reject", "M9 the same twice", uri(MESH), uri(MESH))
    case("reject", "M9 a web address beside", uri(MESH), uri("https://a.example/"))
    case("reject", "M11 DNS name only", dns("cart.web.svc.mesh.example"))
    maker.reject("M10 id in the common name", Pair(MESH, maker.middle))
    for segment in ("a", "A-Z_0.9", "...", "a..b", "-", "_"):
        text = f"{base}/{segment}"
        case("accept", f"path {segment}", uri(text), spiffe=text)
    longest = base + "/" + "x" * (2048 - len(base) - 1)
    case("accept", "2048 bytes", uri(longest), spiffe=longest)
    for label, text in (
        ("2049 bytes", longest + "x"), ("no path", base), ("root path", base + "/"),
        ("empty segment", base + "//a"), ("trailing slash", base + "/a/"), ("dot", base + "/./a"),
        ("dots", base + "/../a"), ("dots last", base + "/a/.."), ("percent", base + "/%61"),
        ("percent slash", base + "/a%2Fb"), ("query", base + "/a?x=1"), ("empty query", base + "/a?"),
        ("fragment", base + "/a#x"), ("port", base + ":8443/a"), ("user", "spiffe://me@mesh.example/a"),
        ("empty user", "spiffe://@mesh.example/a"), ("upper-case domain", "spiffe://Mesh.example/a"),
        ("upper-case scheme", "SPIFFE://mesh.example/a"), ("other scheme", "https://mesh.example/a"),
        ("one slash", "spiffe:/mesh.example/a"), ("three slashes", "spiffe:///mesh.example/a"),
        ("no domain", "spiffe:///a"), ("blank", base + "/a b"), ("leading blank", " " + MESH),
        ("trailing blank", MESH + " "), ("tab", base + "/a\tb"), ("line feed", MESH + "\n"),
        ("colon", base + "/a:b"), ("at", base + "/a@b"), ("plus", base + "/a+b"),
        ("tilde", base + "/~a"), ("backslash", base + "\\a"), ("semicolon", base + "/a;b"),
        ("empty", ""), ("trailing dot", "spiffe://mesh.example./a"),
    ):
        case("reject", f"M12 {label}", uri(text))
    case("reject", "M12 NUL", uri(MESH + "\0"))
    case("reject", "M12 NUL in the middle", uri(base + "/a\0b"))
    maker.reject("M12 not ASCII", maker.leaf(san=(raw("san", san_of(base.encode() + b"/\xc3\xa4")), True)))
    case("reject", "no key usage", uri(MESH), extensions={"key_usage": None})
    case("reject", "no digitalSignature", uri(MESH), extensions={"key_usage": (usage(key_agreement=True), True)})
    maker.accept("a subject beside", maker.leaf(subject="cart", san=names(uri(MESH), critical=False)))
    case("reject", "key usage not critical", uri(MESH), extensions={"key_usage": (LEAF_USAGE, False)})
    for expected, id in (
        ("accept", base), ("accept", "https://ca.example/"), ("reject", "spiffe://other.example"),
        ("reject", base + "/ca"), ("reject", "SPIFFE://other.example"),
    ):
        authority = Pair("Authority", maker.root, ca=True, extensions={"san": names(uri(id), critical=False)})
        maker.case(expected, f"an intermediate named {id}", maker.leaf(authority), chain=[authority])
    middle = Pair("No usage", maker.root, ca=True, extensions={"key_usage": None})
    maker.reject("intermediate without key usage", maker.leaf(middle), chain=[middle])


def san_of(text):
    return bytes([0x30, len(text) + 2, 0x86, len(text)]) + text


COMMON = (
    times, purposes, issuers, lengths, extensions, algorithms, encodings, constraints, graphs, revocation,
)


def run(suite, emit):
    for group in COMMON + ((identities,) if suite == "spiffe" else (references,)):
        group(Maker(emit, suite))
