"""Writes conformance cases with their expected results, one JSON object per line.

usage: make_cases.py SUITE

The expectations come from another implementation (the Python package `cryptography`) or, for what
must be refused, from how the case was spoilt. An honest case of each kind stands beside them.
"""

import base64
import hashlib
import hmac as pyhmac
import json
import os
import sys

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

number = 0


def emit(expected, **fields):
    global number
    number += 1
    print(json.dumps({"id": f"case-{number}", "expected": expected, **fields}))


def spki(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


# --- symmetric ------------------------------------------------------------------------------------


def aesgcm():
    def case(expected, label, key, iv, aad, ciphertext, tag, plaintext=None):
        extra = {} if plaintext is None else {"expected_plaintext": plaintext.hex()}
        emit(
            expected, label=label, key=key.hex(), iv=iv.hex(), aad=aad.hex(),
            ciphertext=ciphertext.hex(), tag=tag.hex(), **extra,
        )

    for size in (16, 24, 32):
        for length in (0, 1, 15, 16, 17, 31, 64, 300):
            key, iv, aad = os.urandom(size), os.urandom(12), os.urandom(length % 23)
            plain = os.urandom(length)
            sealed = AESGCM(key).encrypt(iv, plain, aad)
            text, tag = sealed[:-16], sealed[-16:]
            case("valid", "honest", key, iv, aad, text, tag, plain)
            for bit in (0, 7, 63, 64, 126, 127):
                bad = bytearray(tag)
                bad[bit // 8] ^= 1 << (bit % 8)
                case("invalid", f"tag bit {bit}", key, iv, aad, text, bytes(bad))
            case("invalid", "zero tag", key, iv, aad, text, bytes(16))
            case("invalid", "inverted tag", key, iv, aad, text, bytes(255 - b for b in tag))
            case("invalid", "short tag", key, iv, aad, text, tag[:12])
            case("invalid", "empty tag", key, iv, aad, text, b"")
            case("invalid", "long tag", key, iv, aad, text, tag + b"\0")
            case("invalid", "other aad", key, iv, aad + b"\0", text, tag)
            case("invalid", "other key", os.urandom(size), iv, aad, text, tag)
            case("invalid", "longer text", key, iv, aad, text + b"\0", tag)
    for length in (0, 1, 8, 11, 13, 16, 64):
        case("unsupported", "iv length", bytes(16), bytes(length), b"", b"ab", bytes(16))
    for length in (0, 1, 15, 17, 33):
        case("invalid", "key length", bytes(length), bytes(12), b"", b"ab", bytes(16))


def hmac():
    for key_length in (0, 1, 20, 32, 63, 64, 65, 131, 520):
        for length in (0, 1, 55, 56, 64, 200):
            key, message = os.urandom(key_length), os.urandom(length)
            tag = pyhmac.new(key, message, hashlib.sha256).digest()

            def case(expected, tag, bits):
                emit(expected, key=key.hex(), message=message.hex(), tag=tag.hex(), tag_bits=bits)

            case("valid", tag, 256)
            case("valid", tag[:16], 128)
            case("invalid", tag[16:], 128)
            case("invalid", tag, 128)
            case("invalid", tag[:16], 256)
            case("invalid", b"", 128)
            case("invalid", b"", 0)
            case("invalid", tag[:15], 128)
            for bit in (0, 127):
                bad = bytearray(tag[:16])
                bad[bit // 8] ^= 1 << (bit % 8)
                case("invalid", bytes(bad), 128)


def hkdf():
    for ikm, salt, info in ((0, 0, 0), (1, 0, 8), (32, 32, 0), (200, 100, 80), (16, 64, 64)):
        material = os.urandom(ikm), os.urandom(salt), os.urandom(info)
        for size in (1, 16, 31, 32, 33, 64, 255 * 32):
            okm = HKDF(hashes.SHA256(), size, material[1], material[2]).derive(material[0])
            emit(
                "valid", ikm=material[0].hex(), salt=material[1].hex(), info=material[2].hex(),
                size=size, expected_okm=okm.hex(),
            )
        for size in (255 * 32 + 1, 1 << 20, -1):
            emit(
                "reject", ikm=material[0].hex(), salt=material[1].hex(), info=material[2].hex(),
                size=size,
            )


# --- signatures -----------------------------------------------------------------------------------


def signed(expected, label, key, message, signature):
    emit(
        expected, label=label, public_key=key.hex(), message=message.hex(),
        signature=signature.hex(),
    )


def integer(value, pad=0, length=None):
    body = value.to_bytes((value.bit_length() // 8) + 1, "big", signed=True) if value >= 0 else b""
    if value < 0:
        body = value.to_bytes(((-value).bit_length() + 8) // 8, "big", signed=True)
    body = bytes(pad) + body
    return b"\x02" + bytes([len(body) if length is None else length]) + body


def sequence(body, long=False):
    if long or len(body) > 127:
        return b"\x30\x81" + bytes([len(body)]) + body
    return b"\x30" + bytes([len(body)]) + body


def ecdsa_der(curve, digest, order):
    key = ec.generate_private_key(curve)
    public = spki(key)
    for message in (b"", b"a", b"m" * 300):
        signature = key.sign(message, ec.ECDSA(digest))
        r, s = utils.decode_dss_signature(signature)
        signed("valid", "honest", public, message, signature)
        signed("valid", "n - s", public, message, utils.encode_dss_signature(r, order - s))
        parts = integer(r) + integer(s)
        spoilt = {
            "empty": b"",
            "r zero": sequence(integer(0) + integer(s)),
            "s zero": sequence(integer(r) + integer(0)),
            "both zero": sequence(integer(0) + integer(0)),
            "both one": sequence(integer(1) + integer(1)),
            "r is n": sequence(integer(order) + integer(s)),
            "s is n": sequence(integer(r) + integer(order)),
            "r + n": sequence(integer(r + order) + integer(s)),
            "s + n": sequence(integer(r) + integer(s + order)),
            "r - n": sequence(integer(r - order) + integer(s)),
            "minus r": sequence(integer(-r) + integer(s)),
            "r + 2^512": sequence(integer(r + (1 << 512)) + integer(s)),
            "swapped": sequence(integer(s) + integer(r)),
            "padded r": sequence(integer(r, pad=1) + integer(s)),
            "padded s": sequence(integer(r) + integer(s, pad=1)),
            "r only": sequence(integer(r)),
            "three": sequence(parts + integer(1)),
            "trailing": sequence(parts) + b"\0",
            "trailing inside": sequence(parts + b"\0"),
            "trailing null": sequence(parts + b"\x05\0"),
            "indefinite": b"\x30\x80" + parts + b"\0\0",
            "length too long": b"\x30" + bytes([len(parts) + 1]) + parts,
            "length too short": b"\x30" + bytes([len(parts) - 1]) + parts,
            "long length": b"\x30\x82\0" + bytes([len(parts)]) + parts,
            "set": b"\x31" + sequence(parts)[1:],
            "octet string r": sequence(b"\x04" + integer(r)[1:] + integer(s)),
            "empty integers": sequence(b"\x02\0\x02\0"),
            "p1363": r.to_bytes(66, "big")[-48:] + s.to_bytes(66, "big")[-48:],
            "cut": signature[:-1],
            "double": sequence(sequence(parts)),
        }
        if len(parts) < 128:
            spoilt["needless long form"] = sequence(parts, long=True)
        for label, value in spoilt.items():
            signed("invalid", label, public, message, value)
        signed("invalid", "other message", public, message + b"x", signature)
    other = spki(ec.generate_private_key(curve))
    signed("invalid", "other key", other, b"a", key.sign(b"a", ec.ECDSA(digest)))
    wrong = key.sign(b"a", ec.ECDSA(hashes.SHA512()))
    signed("invalid", "other hash", public, b"a", wrong)
    for label, foreign in foreign_keys().items():
        signed("invalid", label, foreign, b"a", key.sign(b"a", ec.ECDSA(digest)))
    for label, spoilt_key in spoilt_points(key).items():
        signed("invalid", label, spoilt_key, b"a", key.sign(b"a", ec.ECDSA(digest)))


def foreign_keys():
    return {
        "Ed25519 key": spki(ed25519.Ed25519PrivateKey.generate()),
        "RSA key": spki(rsa.generate_private_key(65537, 2048)),
        "P-521 key": spki(ec.generate_private_key(ec.SECP521R1())),
        "secp256k1 key": spki(ec.generate_private_key(ec.SECP256K1())),
        "DSA key": spki(dsa.generate_private_key(2048)),
        "no key": b"",
        "junk key": b"\x30\x03\x02\x01\x01",
    }


def spoilt_points(key):
    public = spki(key)
    off = bytearray(public)
    off[-1] ^= 1
    compressed = key.public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )
    return {
        "point off the curve": bytes(off),
        "trailing byte": public + b"\0",
        "cut": public[:-1],
        "bare compressed point": compressed,
        "explicit zero": public[:-64] + bytes(64),
    }


P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P384_ORDER = int(
    "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
    "C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16
)


def ecdsa():
    ecdsa_der(ec.SECP256R1(), hashes.SHA256(), P256_ORDER)
    other = ec.generate_private_key(ec.SECP384R1())
    signed("invalid", "P-384", spki(other), b"a", other.sign(b"a", ec.ECDSA(hashes.SHA256())))


def ecdsa384():
    ecdsa_der(ec.SECP384R1(), hashes.SHA384(), P384_ORDER)
    other = ec.generate_private_key(ec.SECP256R1())
    signed("invalid", "P-256", spki(other), b"a", other.sign(b"a", ec.ECDSA(hashes.SHA384())))


def ecdsa_p1363():
    key = ec.generate_private_key(ec.SECP256R1())
    public = spki(key)
    for message in (b"", b"a", b"m" * 300):
        der = key.sign(message, ec.ECDSA(hashes.SHA256()))
        r, s = utils.decode_dss_signature(der)

        def flat(one, two, size=32):
            return one.to_bytes(size, "big") + two.to_bytes(size, "big")

        signed("valid", "honest", public, message, flat(r, s))
        signed("valid", "n - s", public, message, flat(r, P256_ORDER - s))
        for label, value in {
            "empty": b"", "r zero": flat(0, s), "s zero": flat(r, 0), "zero": bytes(64),
            "r is n": flat(P256_ORDER, s), "s is n": flat(r, P256_ORDER),
            "all ones": b"\xff" * 64, "longer": flat(r, s, 33), "48": flat(r, s, 48),
            "cut": flat(r, s)[:-1], "trailing": flat(r, s) + b"\0", "der": der,
            "swapped": flat(s, r), "half": flat(r, s)[:32],
        }.items():
            signed("invalid", label, public, message, value)


def ed25519_suite():
    key = ed25519.Ed25519PrivateKey.generate()
    public = spki(key)
    order = 2**252 + 27742317777372353535851937790883648493
    for message in (b"", b"a", b"m" * 300):
        signature = key.sign(message)
        r, s = signature[:32], int.from_bytes(signature[32:], "little")
        signed("valid", "honest", public, message, signature)
        for label, value in {
            "empty": b"", "cut": signature[:-1], "trailing": signature + b"\0",
            "s + L": r + (s + order).to_bytes(32, "little"), "zero": bytes(64),
            "s + 8 L": r + ((s + 8 * order) % 2**256).to_bytes(32, "little"),
            "s is L": r + order.to_bytes(32, "little"), "s zero": r + bytes(32),
            "s high bit": r + (s | 1 << 255).to_bytes(32, "little"),
            "r zero": bytes(32) + signature[32:], "all ones": b"\xff" * 64, "r only": r,
            "swapped": signature[32:] + r, "twice": signature + signature,
        }.items():
            signed("invalid", label, public, message, value)
        signed("invalid", "other message", public, message + b"x", signature)
    for label, foreign in foreign_keys().items():
        signed("invalid", label, foreign, b"a", key.sign(b"a"))


def rsa_signatures(pad):
    key = rsa.generate_private_key(65537, 2048)
    public = spki(key)
    modulus = key.public_key().public_numbers().n
    for message in (b"", b"a", b"m" * 300):
        signature = key.sign(message, pad(hashes.SHA256()), hashes.SHA256())
        value = int.from_bytes(signature, "big")
        signed("valid", "honest", public, message, signature)
        for label, spoilt in {
            "empty": b"", "cut": signature[:-1], "leading zero": b"\0" + signature,
            "trailing": signature + b"\0", "zero": bytes(256), "one": bytes(255) + b"\1",
            "n": modulus.to_bytes(256, "big"), "n - 1": (modulus - 1).to_bytes(256, "big"),
            "n - s": (modulus - value).to_bytes(256, "big"),
            "s + n": (value + modulus).to_bytes(257, "big"),
            "sha512": key.sign(message, pad(hashes.SHA512()), hashes.SHA512()),
            "sha1": key.sign(message, pad(hashes.SHA1()), hashes.SHA1()),
        }.items():
            signed("invalid", label, public, message, spoilt)
        signed("invalid", "other message", public, message + b"x", signature)
    small = rsa.generate_private_key(65537, 1024)
    signed("invalid", "1024", spki(small), b"a", small.sign(b"a", pad(hashes.SHA256()), hashes.SHA256()))
    three = rsa.generate_private_key(3, 2048)
    signed("valid", "e 3", spki(three), b"a", three.sign(b"a", pad(hashes.SHA256()), hashes.SHA256()))
    return key, public


def raw_rsa(key, encoded):
    numbers = key.private_numbers()
    value = pow(int.from_bytes(encoded, "big"), numbers.d, numbers.public_numbers.n)
    return value.to_bytes(256, "big")


def rsa_suite():
    key, public = rsa_signatures(lambda digest: padding.PKCS1v15())
    digest = hashlib.sha256(b"a").digest()
    prefix = bytes.fromhex("3031300d060960864801650304020105000420")
    info = prefix + digest
    no_null = bytes.fromhex("302f300b0609608648016503040201" + "0420") + digest
    good = b"\0\1" + b"\xff" * (253 - len(info)) + b"\0" + info
    signed("valid", "raw honest", public, b"a", raw_rsa(key, good))
    for label, encoded in {
        "missing null": b"\0\1" + b"\xff" * (253 - len(no_null)) + b"\0" + no_null,
        "short padding": b"\0\1" + b"\xff" * 8 + b"\0" + info + bytes(245 - len(info)),
        "wrong type": b"\0\2" + good[2:], "type zero": b"\0\0" + good[2:],
        "zero in padding": good[:20] + b"\0" + good[21:],
        "other padding": b"\0\1" + b"\xfe" * (253 - len(info)) + b"\0" + info,
        "no separator": b"\0\1" + b"\xff" * (254 - len(info)) + info,
        "bare digest": b"\0\1" + b"\xff" * 221 + b"\0" + digest,
        "trailing": b"\0\1" + b"\xff" * (252 - len(info)) + b"\0" + info + b"\0",
        "long length": b"\0\1" + b"\xff" * (252 - len(info)) + b"\0\x30\x81" + info[1:],
        "sha512 name": good.replace(bytes.fromhex("0402010500"), bytes.fromhex("0402030500")),
    }.items():
        signed("invalid", label, public, b"a", raw_rsa(key, encoded))
    pss = key.sign(b"a", padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    signed("invalid", "pss", public, b"a", pss)


def rsapss():
    key, public = rsa_signatures(lambda digest: padding.PSS(padding.MGF1(digest), digest.digest_size))
    for salt in (0, 20, 31, 33, 64):
        value = key.sign(b"a", padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
        signed("invalid", f"salt {salt}", public, b"a", value)
    value = key.sign(b"a", padding.PSS(padding.MGF1(hashes.SHA1()), 32), hashes.SHA256())
    signed("invalid", "mgf sha1", public, b"a", value)
    signed("invalid", "pkcs1", public, b"a", key.sign(b"a", padding.PKCS1v15(), hashes.SHA256()))


# --- Merkle trees ---------------------------------------------------------------------------------


def sha256(data):
    return hashlib.sha256(data).digest()


def split(count):
    half = 1
    while half * 2 < count:
        half *= 2
    return half


def head(leaves):
    if len(leaves) == 1:
        return leaves[0]
    half = split(len(leaves))
    return sha256(b"\1" + head(leaves[:half]) + head(leaves[half:]))


def audit_path(index, leaves):
    if len(leaves) == 1:
        return []
    half = split(len(leaves))
    if index < half:
        return audit_path(index, leaves[:half]) + [head(leaves[half:])]
    return audit_path(index - half, leaves[half:]) + [head(leaves[:half])]


def consistency_path(size, leaves, is_known=True):
    if size == len(leaves):
        return [] if is_known else [head(leaves)]
    half = split(len(leaves))
    if size <= half:
        return consistency_path(size, leaves[:half], is_known) + [head(leaves[half:])]
    return consistency_path(size - half, leaves[half:], False) + [head(leaves[:half])]


LEAVES = [sha256(b"\0" + bytes([index]) * index) for index in range(17)]
NO_HASHES = {"short": b"short", "empty": b"", "long": bytes(33)}


def spoilt_paths(path, roots):
    for at in range(len(path)):
        yield "altered", path[:at] + [bytes([path[at][0] ^ 8]) + path[at][1:]] + path[at + 1 :]
        yield "doubled", path[: at + 1] + path[at:]
        yield "swapped", path[:at] + path[at:][::-1] if len(path) - at > 1 else path + path
        yield "missing", path[:at] + path[at + 1 :]
    for more in list(roots) + list(NO_HASHES.values()):
        yield "longer", path + [more]
        yield "before", [more] + path


def text(data):
    return base64.b64encode(data).decode()


def merkle_inclusion():
    def case(expected, label, index, size, leaf, root, path):
        emit(
            expected, label=f"{label}, {index} of {size}", leaf_index=index % 2**64, tree_size=size % 2**64,
            leaf_hash=text(leaf), root=text(root), proof=None if path is None else [text(each) for each in path],
        )

    for size in range(1, len(LEAVES) + 1):
        root = head(LEAVES[:size])
        for index in range(size):
            leaf, path = LEAVES[index], audit_path(index, LEAVES[:size])
            case("accept", "honest", index, size, leaf, root, path)
            for label, other in spoilt_paths(path, [root, leaf]):
                case("reject", label, index, size, leaf, root, other)
            case("reject", "other leaf", index, size, LEAVES[index - 1] if size > 1 else root[::-1], root, path)
            case("reject", "other root", index, size, leaf, sha256(b""), path)
            for label, no_hash in NO_HASHES.items():
                case("reject", f"{label} leaf", index, size, no_hash, root, path)
                case("reject", f"{label} root", index, size, leaf, no_hash, path)
            for label, at, of in (("before", index - 1, size), ("after", index + 1, size), ("half", index, size // 2)):
                case("reject", label, at, of, leaf, root, path)
            case("reject", "twice the size", index, size * 2, leaf, root, path)
    case("accept", "no proof needed", 0, 1, LEAVES[0], LEAVES[0], None)
    case("reject", "empty tree", 0, 0, LEAVES[0], LEAVES[0], [])
    case("reject", "largest", 2**64 - 2, 2**64 - 1, LEAVES[0], LEAVES[1], [LEAVES[2]] * 64)
    case("reject", "endless", 0, 2**63, LEAVES[0], LEAVES[1], [LEAVES[2]] * 1000)
    emit("reject", label="too large", leaf_index=0, tree_size=2**64, leaf_hash=text(LEAVES[0]), root=text(LEAVES[0]), proof=[])
    emit("reject", label="negative", leaf_index=-1, tree_size=1, leaf_hash=text(LEAVES[0]), root=text(LEAVES[0]), proof=[])
    emit("reject", label="no proof", leaf_index=0, tree_size=1, leaf_hash=text(LEAVES[0]), root=text(LEAVES[0]))
    emit("reject", label="no base64", leaf_index=0, tree_size=1, leaf_hash="*", root=text(LEAVES[0]), proof=[])


def merkle_consistency():
    def case(expected, label, old, new, old_root, new_root, path):
        emit(
            expected, label=f"{label}, {old} to {new}", size1=old % 2**64, size2=new % 2**64,
            root1=text(old_root), root2=text(new_root), proof=None if path is None else [text(each) for each in path],
        )

    for new in range(1, len(LEAVES) + 1):
        new_root = head(LEAVES[:new])
        for old in range(1, new + 1):
            old_root, path = head(LEAVES[:old]), consistency_path(old, LEAVES[:new])
            case("accept", "honest", old, new, old_root, new_root, path)
            for label, other in spoilt_paths(path, [old_root, new_root]):
                case("reject", label, old, new, old_root, new_root, other)
            case("reject", "other root", old, new, old_root, sha256(b""), path)
            case("reject", "other old root", old, new, sha256(b""), new_root, path)
            if old < new:
                case("reject", "no proof", old, new, old_root, new_root, [])
                case("reject", "roots swapped", old, new, new_root, old_root, path)
                case("reject", "back in time", new, old, new_root, old_root, path)
                case("reject", "one less", old - 1, new, old_root, new_root, path)
                case("reject", "one more", old + 1, new, old_root, new_root, path)
                case("reject", "twice the size", old, new * 2, old_root, new_root, path)
                for label, no_hash in NO_HASHES.items():
                    case("reject", f"{label} old root", old, new, no_hash, new_root, path)
                    case("reject", f"{label} root", old, new, old_root, no_hash, path)
    root = LEAVES[0]
    case("accept", "the same head, no proof", 1, 1, root, root, None)
    case("reject", "nothing follows from an empty tree", 0, 1, sha256(b""), root, [])
    case("reject", "two empty trees", 0, 0, sha256(b""), sha256(b""), [])
    case("reject", "endless", 1, 2**63, root, LEAVES[1], [root] * 1000)


SUITES = {
    "merkle-inclusion": merkle_inclusion, "merkle-consistency": merkle_consistency,
    "aesgcm": aesgcm, "hmac": hmac, "hkdf": hkdf, "ecdsa": ecdsa, "ecdsa-p1363": ecdsa_p1363,
    "ecdsa384": ecdsa384, "ed25519": ed25519_suite, "rsa": rsa_suite, "rsapss": rsapss,
}


if __name__ == "__main__":
    if sys.argv[1] in ("x509", "spiffe"):
        import certificate_cases

        certificate_cases.run(sys.argv[1], emit)
    elif sys.argv[1] in ("jws", "jwk"):
        import jose_cases

        jose_cases.run(sys.argv[1], emit)
    else:
        SUITES[sys.argv[1]]()
