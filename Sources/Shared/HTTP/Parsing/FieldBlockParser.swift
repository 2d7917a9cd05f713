/// Reads the field lines of a head or of trailers, up to the empty line.
struct FieldBlockParser: ~Copyable {
    struct Bounds {
        var lineByteCountMax: Int
        var blockByteCountMax: Int
        var countMax: Int
        var blockFault: MessageFault
    }

    enum Progress { case incomplete, complete }

    private(set) var fields = HeaderFields()
    private var byteCount = 0
    private let bounds: Bounds

    init(bounds: Bounds) {
        self.bounds = bounds
        fields.reserve(byteCount: 512, fieldCount: 16)
    }

    mutating func next(
        in bytes: Span<UInt8>,
        from offset: inout Int,
        lines: inout LineAssembler
    ) throws(MessageFault) -> Progress {
        while true {
            // The two limits are joined before the line is read, so that the refusal is the same
            // however the bytes were cut.
            let rest = max(0, bounds.blockByteCountMax - byteCount)
            let limit = min(bounds.lineByteCountMax, rest)
            switch lines.next(in: bytes, from: &offset, limit: limit) {
            case .incomplete: return .incomplete
            case .tooLong:
                throw bounds.lineByteCountMax <= rest ? .fieldLineTooLong : bounds.blockFault
            case .lineEndInvalid: throw .lineEndInvalid
            case .within(let range):
                if range.isEmpty { return .complete }
                try add(bytes.extracting(range))
            case .assembled(let line):
                if line.isEmpty { return .complete }
                try add(line.span)
            }
        }
    }

    private mutating func add(_ line: Span<UInt8>) throws(MessageFault) {
        byteCount += line.count + 2
        guard fields.count < bounds.countMax else { throw .fieldCountExceeded }
        guard !line[0].isBlank else { throw .fieldFolded }
        guard let colon = line.firstIndex(of: .colon) else { throw .fieldColonMissing }
        let name = line.extracting(0..<colon)
        // A tab around `chunked` is legal, and known to make some hops miss the coding.
        if name.equalsIgnoringCase("transfer-encoding"), line.firstIndex(of: .tab) != nil {
            throw .transferEncodingInvalid
        }
        do throws(FieldFault) {
            try fields.append(
                nameBytes: name,
                valueBytes: line.extracting((colon + 1)..<line.count)
            )
        } catch {
            switch error {
            case .nameInvalid: throw .fieldNameInvalid
            case .valueInvalid: throw .fieldValueInvalid
            case .valueTooLong: throw .fieldLineTooLong
            case .countExceeded, .repeated: throw .fieldCountExceeded
            }
        }
    }
}
