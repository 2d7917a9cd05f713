import Mesh
import Testing

@Suite struct NamesTests {
    @Test(arguments: [
        ("a", true), ("web-1", true), (String(repeating: "x", count: 63), true), ("0", true),
        ("", false), ("-a", false), ("a-", false), ("A", false), ("a.b", false), ("a_b", false),
        (String(repeating: "x", count: 64), false), ("ä", false), ("a\0", false), ("*", false),
    ])
    func labelsAreSingleDNSLabels(text: String, isValid: Bool) {
        #expect(((try? ServiceLabel(text)) != nil) == isValid)
        #expect(((try? NamespaceName(text)) != nil) == isValid)
        #expect(((try? AgentName(text)) != nil) == isValid)
        #expect(((try? ServerName(text)) != nil) == isValid)
    }

    @Test func serviceNamesMayLeaveOutTheDefaultNamespace() throws {
        #expect(try ServiceName("web").description == "default/web")
        #expect(try ServiceName("shop/web").namespace.text == "shop")
        #expect(throws: NameError.self) { try ServiceName("a/b/c") }
        #expect(throws: NameError.self) { try ServiceName("/web") }
    }

    @Test(arguments: ["", "Shop.example", "shop.example/", "a b", "shop:1", "sh%6Fp"])
    func trustDomainsAreLowerCaseSPIFFECharacters(text: String) {
        #expect(throws: NameError.self) { try TrustDomain(text) }
    }

    @Test func trustDomainLengthIsBounded() throws {
        #expect(try TrustDomain(String(repeating: "a", count: 255)).text.utf8.count == 255)
        #expect(throws: NameError.self) { try TrustDomain(String(repeating: "a", count: 256)) }
        let unfit = try TrustDomain(String(repeating: "a", count: 122))
        #expect(throws: NameError.self) { try unfit.checkServing() }
        let underscore = try TrustDomain("a_b")
        #expect(throws: NameError.self) { try underscore.checkServing() }
    }

    @Test(arguments: [
        ("spiffe://a", SPIFFEID.Subject?.none),
        ("spiffe://a/ns/web/sa/cart", nil),
        ("spiffe://a/ns/web/svc/cart/x", nil),
        ("spiffe://a/ns/Web/svc/cart", nil),
        ("spiffe://a/agent/host-1", .agent(made { try AgentName("host-1") })),
        ("spiffe://a/server/s1", .server(made { try ServerName("s1") })),
        ("spiffe://a/ns/web/svc/cart", .service(made { try ServiceName("web/cart") })),
    ])
    func subjectsAreDisjointPathForms(text: String, subject: SPIFFEID.Subject?) throws {
        let id = try SPIFFEID(text)
        #expect(id.subject == subject)
        #expect(id.description == text)
        #expect(try SPIFFEID(bytes: Array(text.utf8)) == id)
    }

    @Test(arguments: [
        ("", SPIFFEIDError.wrongScheme), ("http://a/b", .wrongScheme),
        ("SPIFFE://a/b", .wrongScheme), ("spiffe:a/b", .wrongScheme),
        ("spiffe:///b", .wrongTrustDomain), ("spiffe://A/b", .wrongTrustDomain),
        ("spiffe://u@a/b", .wrongTrustDomain), ("spiffe://a:1/b", .wrongTrustDomain),
        ("spiffe://a/", .trailingSlash), ("spiffe://a/b/", .trailingSlash),
        ("spiffe://a//b", .emptySegment), ("spiffe://a/./b", .dotSegment),
        ("spiffe://a/b/..", .dotSegment), ("spiffe://a/%62", .wrongCharacter),
        ("spiffe://a/b?c", .wrongCharacter), ("spiffe://a/b#c", .wrongCharacter),
        ("spiffe://a?b", .wrongTrustDomain), ("spiffe://a/b\0", .wrongCharacter),
        ("spiffe://a/ä", .wrongCharacter), ("spiffe://a/b c", .wrongCharacter),
    ])
    func malformedIDsAreRefused(text: String, error: SPIFFEIDError) {
        #expect(throws: error) { try SPIFFEID(text) }
        #expect(throws: SPIFFEIDError.self) { try SPIFFEID(bytes: Array(text.utf8)) }
    }

    @Test func idLengthIsBounded() throws {
        let longest = "spiffe://a/" + String(repeating: "x", count: 2048 - 11)
        #expect(try SPIFFEID(longest).description.utf8.count == 2048)
        #expect(throws: SPIFFEIDError.tooLong) { try SPIFFEID(longest + "x") }
        #expect(throws: SPIFFEIDError.tooLong) { try SPIFFEID(bytes: Array((longest + "x").utf8)) }
    }

    @Test func threeDotsAreAnOrdinarySegment() throws {
        #expect(try SPIFFEID("spiffe://a/...").path == "/...")
    }

    @Test func meshNamesRoundTrip() throws {
        let name = meshName(try ServiceName("shop/web"), in: try TrustDomain("mesh.example"))
        #expect(name == "web.shop.svc.mesh.example")
        #expect(try MeshName(name).service == ServiceName("shop/web"))
        #expect(try MeshName(name).trustDomain.text == "mesh.example")
    }

    @Test(arguments: [
        "", "web", "web.shop", "web.shop.svc", "web.shop.svc.", "web.shop.svc.mesh.example.",
        "Web.shop.svc.mesh.example", "web.shop.SVC.mesh.example", "web.shop.svc.Mesh.example",
        "web.shop.pod.mesh.example", ".shop.svc.mesh.example", "127.0.0.1", "web..svc.a",
        "*.shop.svc.mesh.example",
    ])
    func foreignSpellingsOfMeshNamesAreRefused(text: String) {
        #expect(throws: NameError.self) { try MeshName(text) }
    }

    @Test(arguments: [
        ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "::"), ("2001:DB8::1", "2001:db8::1"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
    ])
    func addressesHaveOneSpelling(text: String, canonical: String) throws {
        #expect(try IPAddress(text).description == canonical)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "01.2.3.4", "256.1.1.1", "1.2.3.-4", "+1.2.3.4", ":", ":::",
        "1::2::3", "12345::", "fe80::1%eth0", "::ffff:1.2.3.4", "1:2:3:4:5:6:7", "localhost",
        "1:2:3:4:5:6:7::8", "::-1", "::+1",
    ])
    func otherSpellingsOfAddressesAreRefused(text: String) {
        #expect(throws: NameError.self) { try IPAddress(text) }
    }

    @Test func onlyTheHostItselfIsLoopback() throws {
        #expect(try IPAddress("127.9.9.9").isLoopback)
        #expect(try IPAddress("::1").isLoopback)
        #expect(try !IPAddress("128.0.0.1").isLoopback)
        #expect(try !IPAddress("::2").isLoopback)
    }
}
