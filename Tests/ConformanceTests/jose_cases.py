"""The cases of the suites jws and jwk: honest tokens, and one rule broken at a time."""

import base64
import hmac
import json
import random

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, ed448, padding, rsa, utils

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {
    "ES256": (ec.SECP256R1, "P-256", 32),
    "ES384": (ec.SECP384R1, "P-384", 48),
    "ES512": (ec.SECP521R1, "P-521", 66),
}
PAYLOAD = b'{"sub":"cart"}'


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, length=None):
    return b64(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def jwk(key, **more):
    if isinstance(key, bytes):
        return {"kty": "oct", "k": b64(key), **more}
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        return {"kty": "RSA", "n": number(public.n), "e": number(public.e), **more}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
        length = (key.curve.key_size + 7) // 8
        public = key.public_key().public_numbers()
        return {
            "kty": "EC", "crv": names.get(key.curve.name, key.curve.name),
            "x": number(public.x, length), "y": number(public.y, length), **more,
        }
    curve = "Ed25519" if isinstance(key, ed25519.Ed25519PrivateKey) else "Ed448"
    return {"kty": "OKP", "crv": curve, "x": b64(key.public_key().public_bytes_raw()), **more}


def raw_signature(key, alg, message, der=False, salt=None):
    digest = HASHES.get(alg[2:5], hashes.SHA512)()
    if isinstance(key, bytes):
        return hmac.new(key, message, digest.name).digest()
    if isinstance(key, rsa.RSAPrivateKey):
        pad = padding.PKCS1v15()
        if alg.startswith("PS"):
            pad = padding.PSS(padding.MGF1(digest), digest.digest_size if salt is None else salt)
        return key.sign(message, pad, digest)
    if isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(message, ec.ECDSA(digest))
        if der:
            return signature
        r, s = utils.decode_dss_signature(signature)
        length = (key.curve.key_size + 7) // 8
        return r.to_bytes(length, "big") + s.to_bytes(length, "big")
    return key.sign(message)


def token(key, alg, payload=PAYLOAD, header=None, raw_header=None, **options):
    head = raw_header or json.dumps({"alg": alg, **(header or {})}).encode()
    message = f"{b64(head)}.{b64(payload)}".encode()
    return f"{message.decode()}.{b64(raw_signature(key, alg, message, **options))}"


def keys():
    big = rsa.generate_private_key(65537, 2048)
    for name in HASHES:
        yield f"HS{name}", bytes(range(64))
        yield f"RS{name}", big
        yield f"PS{name}", big
    for name, (curve, _, _) in CURVES.items():
        yield name, ec.generate_private_key(curve())
    yield "EdDSA", ed25519.Ed25519PrivateKey.generate()


def altered(text, part):
    parts = text.split(".")
    data = bytearray(base64.urlsafe_b64decode(parts[part] + "=="))
    data[len(data) // 2] ^= 1
    parts[part] = b64(bytes(data))
    return ".".join(parts)


def every_algorithm(case):
    for alg, key in keys():
        bare, honest = jwk(key), token(key, alg)
        case("valid", f"{alg} honest", bare, honest)
        case("valid", f"{alg} stated", {**bare, "alg": alg, "use": "sig"}, honest)
        case("valid", f"{alg} key_ops", {**bare, "key_ops": ["verify"]}, honest)
        case("valid", f"{alg} no payload", bare, token(key, alg, b""))
        case("invalid", f"{alg} other alg stated", {**bare, "alg": "ES999"}, honest)
        case("invalid", f"{alg} for encryption", {**bare, "use": "enc"}, honest)
        case("invalid", f"{alg} only signs", {**bare, "key_ops": ["sign"]}, honest)
        case("invalid", f"{alg} ops twice", {**bare, "key_ops": ["verify", "verify"]}, honest)
        case("invalid", f"{alg} more ops", {**bare, "key_ops": ["verify", "decrypt"]}, honest)
        case("invalid", f"{alg} ops no list", {**bare, "key_ops": "verify"}, honest)
        for part, what in ((1, "payload"), (2, "signature")):
            case("invalid", f"{alg} other {what}", bare, altered(honest, part))
        case("invalid", f"{alg} no signature", bare, honest.rsplit(".", 1)[0] + ".")
        case("invalid", f"{alg} short signature", bare, honest[:-4])
        case("invalid", f"{alg} long signature", bare, honest + "AAAA")
        for none in ("none", "NONE", "nOnE", ""):
            claim = b64(json.dumps({"alg": none}).encode()) + "." + b64(PAYLOAD)
            case("invalid", f"{alg} key, alg {none}", bare, claim + ".")
            case("invalid", f"{alg} key, alg {none}, signed", bare,
                 claim + "." + honest.rsplit(".", 1)[1])


def shapes(case):
    key = ec.generate_private_key(ec.SECP256R1())
    bare, honest = jwk(key), token(key, "ES256")
    head, body, signature = honest.split(".")
    case("valid", "honest", bare, honest)
    case("invalid", "DER", bare, token(key, "ES256", der=True))
    for label, text in {
        "empty": "", "two parts": f"{head}.{body}", "four parts": honest + ".", "five": honest + ".a.b",
        "padding": honest + "==", "blank before": " " + honest, "line end": honest + "\n",
        "standard alphabet": f"{head}.{body}.{signature[:-2]}+/", "no header": f".{body}.{signature}",
        "JSON": json.dumps({"payload": body, "protected": head, "signature": signature}),
        "header is no object": f"{b64(b'[]')}.{body}.{signature}",
        "header is text": f"{b64(b'ES256')}.{body}.{signature}",
    }.items():
        case("invalid", label, bare, text)
    # The last character of 64 bytes has four bits that say nothing.
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = alphabet[alphabet.index(honest[-1]) | 1]
    case("invalid", "trailing bits", bare, honest[:-1] + spare)
    for label, header in {
        "embedded key": {"jwk": jwk(key)}, "key by address": {"jku": "https://keys.example/"},
        "certificate by address": {"x5u": "https://keys.example/"}, "critical": {"crit": ["exp"]},
        "critical, empty": {"crit": []}, "not encoded": {"b64": False, "crit": ["b64"]},
        "b64 alone": {"b64": False}, "kid a number": {"kid": 7}, "typ a list": {"typ": ["JWT"]},
        "kid too long": {"kid": "k" * 300}, "alg a list": {"alg": ["ES256"]}, "alg null": {"alg": None},
        "alg missing": {}, "alg in lower case": {"alg": "es256"}, "alg with a blank": {"alg": "ES256 "},
    }.items():
        head = {} if label == "alg missing" else {"alg": "ES256", **header}
        case("invalid", label, bare, token(key, "ES256", raw_header=json.dumps(head).encode()))
    for label, text in {
        "alg twice": b'{"alg":"ES256","alg":"ES256"}', "alg twice, none": b'{"alg":"none","alg":"ES256"}',
        "escaped twice": b'{"alg":"ES256","\\u0061lg":"none"}', "not UTF-8": b'{"alg":"ES256","a":"\xff"}',
        "byte order mark": b'\xef\xbb\xbf{"alg":"ES256"}', "rest": b'{"alg":"ES256"}x', "cut": b'{"alg":"ES256"',
    }.items():
        case("invalid", label, bare, token(key, "ES256", raw_header=text))
    case("valid", "blanks in the header", bare, token(key, "ES256", raw_header=b'{ "alg" : "ES256" }'))
    case("valid", "certificate chain passed over", bare, token(key, "ES256", header={"x5c": ["AA"]}))
    case("valid", "typ", bare, token(key, "ES256", header={"typ": "at+jwt", "cty": "x"}))
    case("invalid", "too long", bare, token(key, "ES256", b"x" * 20_000))
    for r, s in ((0, 1), (1, 0), (2**256 - 1, 1), (1, 2**256 - 1)):
        made = b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
        case("invalid", f"r {r}, s {s}", bare, f"{honest.rsplit('.', 1)[0]}.{made}")


def confusion(case):
    big, point = rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())
    for key, name in ((big, "RS256"), (point, "ES256")):
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        for encoding in (Encoding.PEM, Encoding.DER):
            public = key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
            case("invalid", f"{name} key as secret", jwk(key), token(public, "HS256"))
    case("invalid", "PS for a key of RS", jwk(big, alg="RS256"), token(big, "PS256"))
    case("invalid", "RS for a key of PS", jwk(big, alg="PS256"), token(big, "RS256"))
    case("invalid", "another hash than stated", jwk(big, alg="RS256"), token(big, "RS512"))
    case("invalid", "a salt of another length", jwk(big), token(big, "PS256", salt=20))
    case("invalid", "no salt", jwk(big), token(big, "PS256", salt=0))
    case("valid", "PS and RS where nothing is stated", jwk(big), token(big, "PS384"))
    other = ec.generate_private_key(ec.SECP384R1())
    case("invalid", "ES256 by P-384", jwk(other), token(other, "ES256"))
    case("invalid", "ES384 by P-256", jwk(point), token(point, "ES384"))
    koblitz = ec.generate_private_key(ec.SECP256K1())
    case("unsupported", "ES256K", jwk(koblitz), token(koblitz, "ES256K"))
    case("unsupported", "Ed448", jwk(ed448.Ed448PrivateKey.generate()), token(point, "EdDSA"))
    case("invalid", "EdDSA by an EC key", jwk(point), token(ed25519.Ed25519PrivateKey.generate(), "EdDSA"))


def bad_keys(case):
    point = ec.generate_private_key(ec.SECP256R1())
    honest, good = token(point, "ES256"), jwk(point)
    for label, change in {
        "off the curve": {"y": good["x"]}, "other curve": {"crv": "P-384"}, "no curve": {"crv": None},
        "short x": {"x": good["x"][:-4]}, "padded x": {"x": good["x"] + "="}, "other kty": {"kty": "RSA"},
        "zero before x": {"x": b64(b"\0" + base64.urlsafe_b64decode(good["x"] + "="))},
        "x a number": {"x": 7}, "kid a list": {"kid": ["a"]}, "private": {"d": good["x"]},
        "other alg": {"alg": "ES384"}, "alg of encryption": {"alg": "ECDH-ES"}, "kty a list": {"kty": ["EC"]},
        "kty in lower case": {"kty": "ec"}, "use a list": {"use": ["sig"]},
    }.items():
        key = {name: value for name, value in {**good, **change}.items() if value is not None}
        case("invalid", label, key, honest)
    case("invalid", "key is a text", "EC", honest)
    case("invalid", "key is a list", [good], honest)
    small = rsa.generate_private_key(65537, 1024)
    case("invalid", "1024 bits", jwk(small), token(small, "RS256"))
    big = rsa.generate_private_key(65537, 2048)
    modulus = big.public_key().public_numbers().n
    case("invalid", "exponent 1", {**jwk(big), "e": "AQ"}, token(big, "RS256"))
    case("invalid", "even exponent", {**jwk(big), "e": number(65536)}, token(big, "RS256"))
    case("invalid", "zero before n", {**jwk(big), "n": number(modulus, 257)}, token(big, "RS256"))
    case("invalid", "even modulus", {**jwk(big), "n": number(modulus + 1)}, token(big, "RS256"))
    weak = roca_key()
    case("invalid", "a modulus that can be factored", jwk(weak), token(weak, "RS256"))
    for bits in (256, 384, 512):
        for length, result in ((bits // 8 - 1, "invalid"), (bits // 8, "valid"), (200, "valid")):
            secret = bytes(range(length))
            case(result, f"HS{bits} with {length} bytes", jwk(secret), token(secret, f"HS{bits}"))
    case("invalid", "an empty secret", {"kty": "oct", "k": ""}, honest)


def is_prime(number):
    if number % 2 == 0:
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    for _ in range(20):
        value = pow(random.randrange(2, number - 1), odd, number)
        if value in (1, number - 1):
            continue
        for _ in range(twos - 1):
            value = value * value % number
            if value == number - 1:
                break
        else:
            return False
    return True


def roca_key():
    """A key whose primes are powers of 65537 modulo a product of small primes (CVE-2017-15361)."""
    product, found, candidate = 1, 0, 2
    while found < 126:
        if all(candidate % each for each in range(2, int(candidate**0.5) + 1)):
            product, found = product * candidate, found + 1
        candidate += 1
    primes = []
    while len(primes) < 2:
        factor = random.getrandbits(1024 - product.bit_length()) | 3 << (1022 - product.bit_length())
        prime = factor * product + pow(65537, random.getrandbits(64), product)
        if prime.bit_length() == 1024 and is_prime(prime) and (prime - 1) % 65537:
            primes.append(prime)
    p, q = primes
    d = pow(65537, -1, (p - 1) * (q - 1))
    return rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(65537, p * q)
    ).private_key()


def sets(case):
    first, second = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    a, b = jwk(first, kid="a"), jwk(second, kid="b")
    by_a, by_b = (token(key, "ES256", header={"kid": name}) for key, name in ((first, "a"), (second, "b")))
    case("valid", "first of two", {"keys": [a, b]}, by_a)
    case("valid", "second of two", {"keys": [a, b]}, by_b)
    case("valid", "a set of one", {"keys": [a]}, by_a)
    case("valid", "a single key", a, by_a)
    case("valid", "one key, no name in the token", {"keys": [a]}, token(first, "ES256"))
    case("valid", "one key without a name", {"keys": [jwk(first)]}, by_a)
    case("valid", "more members", {"keys": [{**a, "x5t": "AA"}], "more": True}, by_a)
    case("invalid", "no name and two keys", {"keys": [a, b]}, token(first, "ES256"))
    case("invalid", "another's name", {"keys": [a, b]}, token(first, "ES256", header={"kid": "b"}))
    case("invalid", "unknown name", {"keys": [a, b]}, token(first, "ES256", header={"kid": "c"}))
    case("invalid", "name in another case", {"keys": [a, b]}, token(first, "ES256", header={"kid": "A"}))
    case("invalid", "path in a name", {"keys": [a, b]}, token(first, "ES256", header={"kid": "../a"}))
    case("invalid", "SQL in a name", {"keys": [a, b]}, token(first, "ES256", header={"kid": "a' OR '1'='1"}))
    composed, split = jwk(first, kid="\u00e9"), "e\u0301"
    case("invalid", "name that only looks the same", {"keys": [composed, b]},
         token(first, "ES256", header={"kid": split}))
    case("invalid", "the same name twice", {"keys": [a, {**b, "kid": "a"}]}, by_a)
    case("invalid", "no keys", {"keys": []}, by_a)
    case("invalid", "keys no list", {"keys": a}, by_a)
    case("invalid", "too many", {"keys": [a] + [jwk(second, kid=f"k{n}") for n in range(100)]}, by_a)
    case("invalid", "a secret beside it", {"keys": [a, jwk(bytes(range(64)), kid="s")]}, by_a)
    case("invalid", "a malformed one beside it", {"keys": [a, {**b, "y": b["x"]}]}, by_a)
    case("invalid", "a private one beside it", {"keys": [a, {**b, "d": b["x"]}]}, by_a)
    case("invalid", "no object beside it", {"keys": [a, "b"]}, by_a)
    small = rsa.generate_private_key(65537, 1024)
    case("invalid", "a weak one beside it", {"keys": [a, jwk(small, kid="w")]}, by_a)
    case("valid", "one for encryption beside it", {"keys": [a, {**b, "use": "enc"}]}, by_a)
    case("valid", "an unknown kind beside it", {"keys": [a, {"kty": "AKP", "kid": "n", "pub": "AA"}]}, by_a)
    case("invalid", "by the one for encryption", {"keys": [a, {**b, "use": "enc"}]}, by_b)
    case("invalid", "no name, one for encryption", {"keys": [{**a, "use": "enc"}]}, by_a)
    secrets = [bytes([number]) * 64 for number in (1, 2)]
    shared = {"keys": [jwk(secret, kid=str(n)) for n, secret in enumerate(secrets)]}
    for index, secret in enumerate(secrets):
        case("valid", "one of two secrets", shared, token(secret, "HS512", header={"kid": str(index)}))
        case("invalid", "the other secret", shared, token(secret, "HS512", header={"kid": str(1 - index)}))
    for algorithm, key in keys():
        case("valid", f"{algorithm} in a set", {"keys": [jwk(key, kid="k", alg=algorithm)]},
             token(key, algorithm, header={"kid": "k"}))


def run(suite, emit):
    def case(expected, label, key, jws):
        emit(expected, label=label, key=key, jws=jws)

    parts = {"jws": (every_algorithm, shapes, confusion, bad_keys), "jwk": (sets,)}
    for part in parts[suite]:
        part(case)
