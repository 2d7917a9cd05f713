import Crypto
import Foundation
import Store
import Testing

@Suite struct MigrationTests {
    @Test func everyFileHasItsLine() throws {
        let folder = URL(fileURLWithPath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Sources/ControlPlane/Store/Migrations")
        let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
        #expect(files == Migration.all.map { "\($0).sql" })
        for migration in Migration.all {
            let file = folder.appendingPathComponent("\(migration).sql")
            #expect(try Array(Data(contentsOf: file)) == migration.text)
        }
    }

    @Test func theChecksumIsTheHashOfTheText() {
        let migration = Migration(version: 12, name: "a", text: Array("abc".utf8))
        #expect(
            migration.checksum.hex
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        #expect("\(migration)" == "m0012_a")
    }
}
