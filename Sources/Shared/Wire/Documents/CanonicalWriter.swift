/// Appends canonical JSON value by value, without a document between, for what is written often.
///
/// The caller gives the keys of a map in the order of their bytes, as `JSON.canonical` would.
package struct CanonicalWriter {
    /// What was written so far.
    package private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// Starts empty; `capacity` only saves reallocation.
    package init(reservingCapacity capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// A map whose entries `body` writes.
    package mutating func map(_ body: (inout CanonicalWriter) -> Void) {
        begin()
        bytes.append(0x7B)
        needsComma = false
        body(&self)
        bytes.append(0x7D)
        needsComma = true
    }

    /// A list with an element for each of `items`, which `body` writes.
    package mutating func list<Items: Sequence>(
        _ items: Items,
        _ body: (inout CanonicalWriter, Items.Element) -> Void
    ) {
        begin()
        bytes.append(0x5B)
        needsComma = false
        for item in items { body(&self, item) }
        bytes.append(0x5D)
        needsComma = true
    }

    /// The key of the value that is written next.
    package mutating func key(_ name: String) {
        string(name)
        bytes.append(0x3A)
        needsComma = false
    }

    /// A string, with no escapes but the needed ones.
    package mutating func string(_ text: String) {
        begin()
        JSONWriter.append(text, to: &bytes)
        needsComma = true
    }

    /// An entry of a map whose value is a string.
    package mutating func field(_ name: String, _ text: String) {
        key(name)
        string(text)
    }

    /// An entry of a map whose value is an integer.
    package mutating func field(_ name: String, _ value: some BinaryInteger) {
        key(name)
        number(value)
    }

    /// A string of padded base64.
    package mutating func base64(_ value: [UInt8]) {
        begin()
        bytes.append(0x22)
        Base64Alphabet.standard.encode(value, to: &bytes)
        bytes.append(0x22)
        needsComma = true
    }

    /// An integer.
    package mutating func number(_ value: some BinaryInteger) {
        begin()
        bytes.append(contentsOf: String(value).utf8)
        needsComma = true
    }

    private mutating func begin() {
        if needsComma { bytes.append(0x2C) }
    }
}
