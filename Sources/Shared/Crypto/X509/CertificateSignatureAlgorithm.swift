/// The AlgorithmIdentifiers of certificate signatures that are strong enough, byte for byte.
///
/// What is not in the table (MD5, SHA-1, DSA, odd parameters) is no signature at all.
enum CertificateSignatureAlgorithm {
    /// The scheme of an encoded AlgorithmIdentifier, nil when it is not in the table.
    static func scheme(of encoded: ArraySlice<UInt8>) -> SignatureScheme? {
        table.first { encoded.elementsEqual($0.encoded) }?.scheme
    }

    /// The AlgorithmIdentifier of a scheme in which this house signs.
    static func encoded(_ scheme: SignatureScheme) -> [UInt8]? {
        table.first { $0.scheme == scheme }?.encoded
    }

    // The frequent ones first: the table is searched at every certificate.
    private static let table: [(encoded: [UInt8], scheme: SignatureScheme)] =
        [
            (ecdsa(2), .ecdsaDER(.sha256)),
            (SubjectPublicKey.ed25519Algorithm, .ed25519),
            (ecdsa(3), .ecdsaDER(.sha384)),
            (ecdsa(4), .ecdsaDER(.sha512)),
            (rsa(0x0B), .rsaPKCS1(.sha256)),
            (rsa(0x0C), .rsaPKCS1(.sha384)),
            (rsa(0x0D), .rsaPKCS1(.sha512)),
        ]
        + HashFunction.allCases.flatMap { hash in
            [true, false].map { (pss(hash, hasNull: $0), .rsaPSS(hash)) }
        }

    private static func ecdsa(_ last: UInt8) -> [UInt8] {
        [0x30, 0x0A, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, last]
    }

    private static func rsa(_ last: UInt8) -> [UInt8] {
        [0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, last, 0x05, 0x00]
    }

    /// RSASSA-PSS with its parameters (RFC 4055 §3.1); the NULL of a hash is optional in the field.
    private static func pss(_ hash: HashFunction, hasNull: Bool) -> [UInt8] {
        let last: UInt8 =
            switch hash {
            case .sha256: 1
            case .sha384: 2
            case .sha512: 3
            }
        var hashAlgorithm = DERWriter()
        hashAlgorithm.sequence { writer in
            writer.element(
                DERTag.objectIdentifier,
                [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last]
            )
            if hasNull { writer.element(DERTag.null, [] as [UInt8]) }
        }
        let pkcs1: [UInt8] = [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01]
        var writer = DERWriter()
        writer.sequence { writer in
            writer.element(DERTag.objectIdentifier, pkcs1 + [0x0A])
            writer.sequence { writer in
                writer.element(DERTag.constructed(0)) { $0.raw(hashAlgorithm.bytes) }
                writer.element(DERTag.constructed(1)) { writer in
                    writer.sequence { writer in
                        writer.element(DERTag.objectIdentifier, pkcs1 + [0x08])
                        writer.raw(hashAlgorithm.bytes)
                    }
                }
                writer.element(DERTag.constructed(2)) {
                    $0.unsignedInteger([UInt8(hash.byteCount)])
                }
            }
        }
        return writer.bytes
    }
}
