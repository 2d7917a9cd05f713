import Reactor

extension Session {
    /// The longest file that is sent with a request.
    static let fileByteCountMax = 48 * 1024

    /// A file as text.
    func text(of file: String) throws(Failure) -> String {
        do throws(FileError) {
            let bytes = try FileSystem.read(
                file,
                byteCountMax: Self.fileByteCountMax,
                followsLinks: true
            )
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw .usage("\(error)")
        }
    }

    /// A secret, read only from where nobody else may read, or from standard input for `-`; it is never
    /// an argument, which everybody on the machine can see.
    func secret(of file: String, _ option: String) throws(Failure) -> String {
        if file == "-" {
            let bytes = surroundings.readInput()
            guard bytes.count <= Self.fileByteCountMax else {
                throw .usage("\(option): at most \(Self.fileByteCountMax) bytes")
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        do throws(FileError) {
            let bytes = try FileSystem.readSecret(file, byteCountMax: Self.fileByteCountMax)
            return String(decoding: bytes, as: UTF8.self)
        } catch {
            throw .usage("\(option): \(error)", hint: "chmod 600 it, and own it")
        }
    }
}
