/// What is wrong with a DER encoding (ITU-T X.690), and at which byte.
struct DERError: Error, Equatable {
    let offset: Int
    let problem: String

    init(_ offset: Int, _ problem: String) {
        self.offset = offset
        self.problem = problem
    }

    /// The same as an error of this room, naming the field.
    func inField(_ field: String) -> CryptoError {
        .malformed(field: field, problem: "\(problem) (byte \(offset))")
    }
}
