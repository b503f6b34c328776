import Documents
import FoundationEssentials
import Glibc
import Linux

@testable import Agent

/// Whether sandboxes can be started and files be owned by others here.
let isRoot = geteuid() == 0

/// A directory of one test, where its Grace has all its places; removed with everything in it at the end.
struct Ground {
    let directory: String
    let places: Places

    init() throws {
        directory = "/var/tmp/grace-test-agent-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        places = Places(state: directory + "/state", configuration: directory + "/etc", runtime: directory + "/run")
        try Files.makeDirectory(directory, mode: 0o755, intermediate: true)
    }

    /// Makes a ground, runs `body` on it and removes it.
    static func with<T>(_ body: (Ground) async throws -> T) async throws -> T {
        let ground = try Ground()
        defer { try? Files.removeTree(ground.directory) }
        return try await body(ground)
    }

    func path(_ name: String) -> String { directory + "/" + name }

    @discardableResult
    func write(_ name: String, _ text: String, mode: UInt32 = 0o644) throws -> String {
        let path = path(name)
        let parent = path.split(separator: "/").dropLast().joined(separator: "/")
        try Files.makeDirectory("/" + parent, mode: 0o755, intermediate: true)
        try Files.writeAtomically(path, Data(text.utf8), mode: mode)
        return path
    }

    func text(_ name: String) throws -> String { try Files.readString(path(name)) }
}

/// The error's sentence, or nil when nothing was thrown.
func refusal(_ body: () throws -> Void) -> String? {
    do {
        try body()
        return nil
    } catch {
        return "\(error)"
    }
}

/// As ``refusal(_:)``, for what must be waited for.
func refusal(_ body: () async throws -> Void) async -> String? {
    do {
        try await body()
        return nil
    } catch {
        return "\(error)"
    }
}

struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// SplitMix64: the same numbers for the same printed seed.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return value ^ (value >> 31)
    }
}
