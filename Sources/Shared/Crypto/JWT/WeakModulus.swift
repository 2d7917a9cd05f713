/// Moduli of RSA whose factors are known to be guessable.
package enum WeakModulus {
    /// The primes that divide the product from which the faulty generator made its primes, whatever the
    /// length of the key: all up to 167 (2 tells nothing).
    private static let primes: [Int] = (3...167).filter { number in
        !(2..<number).contains { divisor in
            divisor * divisor <= number && number % divisor == 0
        }
    }

    /// For each prime the residues that are powers of 65537: a faulty modulus has no others.
    private static let residues: [(prime: Int, powers: Set<Int>)] = primes.map { prime in
        var powers: Set<Int> = []
        var power = 1
        while powers.insert(power).inserted { power = power * 65_537 % prime }
        return (prime, powers)
    }

    /// The modulus of an RSA key, big-endian; nil for other keys.
    package static func modulus(of key: PublicKey) -> [UInt8]? {
        guard case .rsa = key.kind,
            let element = try? DERReader.single(DERTag.sequence, in: key.keyBytes)
        else { return nil }
        var reader = DERReader(element)
        return (try? reader.next(DERTag.integer).magnitude()).map { Array($0) }
    }

    /// Whether a modulus was made by the generator of CVE-2017-15361 (ROCA): of the others, fewer than
    /// one in a hundred million looks so.
    package static func isROCA(_ modulus: [UInt8]) -> Bool {
        residues.allSatisfy { prime, powers in
            powers.contains(modulus.reduce(0) { ($0 << 8 | Int($1)) % prime })
        }
    }
}
