import FoundationEssentials
import Glibc
import Linux
import Testing

let isRoot = geteuid() == 0

/// Gives `body` a directory of its own and removes it afterwards, whatever happens.
func withDirectory<T>(_ body: (String) async throws -> T) async throws -> T {
    let path = "/var/tmp/grace-test-\(getpid())-\(UInt64.random(in: .min ... .max))"
    try Files.makeDirectory(path, mode: 0o755)
    do {
        let result = try await body(path)
        try Files.removeTree(path)
        return result
    } catch {
        try? Files.removeTree(path)
        throw error
    }
}

func data(_ text: String) -> Data { Data(text.utf8) }

/// The `SystemError` that `body` throws, by its errno's name.
func errorName(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch let error as SystemError {
        return error.name
    } catch {
        return "\(error)"
    }
}

/// Splitmix64, so that a failing property test can be run again from its printed seed.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
