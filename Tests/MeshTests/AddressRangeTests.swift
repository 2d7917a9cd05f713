import Mesh
import Testing

@Suite struct AddressRangeTests {
    @Test(arguments: [
        ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.0.0.0", false),
        ("10.1.2.3", "10.1.2.3", true), ("10.1.2.3", "10.1.2.4", false),
        ("0.0.0.0/0", "192.0.2.1", true), ("0.0.0.0/0", "2001:db8::1", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
        ("192.0.2.128/25", "192.0.2.127", false), ("192.0.2.128/25", "192.0.2.200", true),
    ])
    func contains(range: String, address: String, expected: Bool) throws {
        #expect(try AddressRange(range).contains(IPAddress(address)) == expected)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.1/8", "a/8",
        "10.0.0.0/8/8", "2001:db8::/129", "10.0.0.0/+8",
    ])
    func whatIsNone(text: String) {
        #expect(throws: NameError.self) { try AddressRange(text) }
    }

    @Test func aRangeCoversNarrowerOnes() throws {
        let wide = try AddressRange("10.0.0.0/8")
        #expect(try wide.covers(AddressRange("10.1.0.0/16")))
        #expect(wide.covers(wide))
        #expect(try !wide.covers(AddressRange("0.0.0.0/0")))
        #expect(try !AddressRange("10.1.0.0/16").covers(wide))
        #expect(wide.description == "10.0.0.0/8")
        #expect(try AddressRange("10.1.2.3/32").description == "10.1.2.3")
    }
}
