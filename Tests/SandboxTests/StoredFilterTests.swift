import Documents
import FoundationEssentials
import Glibc
import Linux
import Synchronization
import Testing

@testable import Sandbox

/// Filters kept for the next process: the same program as a compilation gives, from nobody's hands but this user's.
struct StoredFilterTests {
    private static let policy = SeccompPolicy(allow: ["@debug"], deny: ["mlockall"])

    /// What a cache with an empty memory gives, and how often it compiled.
    private static func program(
        _ directory: String, _ policy: SeccompPolicy = policy, reporting: Bool = true,
        keepsProject: Bool = false, change: (inout StoredFilters) -> Void = { _ in }
    ) throws -> (bytes: Data, compilations: Int) {
        let count = Atomic<Int>(0)
        var stored = StoredFilters(directory: directory)
        change(&stored)
        let cache = FilterCache(stored: stored) { _ in count.add(1, ordering: .relaxed) }
        let file = try cache.program(for: policy, capabilities: [], reporting: reporting, keepsProject: keepsProject)
        let bytes = try Files.pread(file, count: Int(try Files.status(of: file).size), offset: 0)
        return (bytes, count.load(ordering: .relaxed))
    }

    private static func names(_ directory: String) throws -> [String] {
        try Files.entries(directory).map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func theNextProcessFindsTheSameProgram() async throws {
        try await Host.withDirectory { place in
            let directory = place + "/run/filters"
            let first = try Self.program(directory)
            let second = try Self.program(directory)
            #expect(first.compilations == 1 && second.compilations == 0)
            #expect(first.bytes == second.bytes && !first.bytes.isEmpty)
            let status = try #require(try Files.status(directory))
            #expect(status.mode == 0o700)
        }
    }

    @Test func whateverTheProgramDependsOnIsPartOfItsName() async throws {
        try await Host.withDirectory { place in
            let directory = place + "/filters"
            _ = try Self.program(directory)
            #expect(try Self.program(directory, reporting: false).compilations == 1)
            #expect(try Self.program(directory, keepsProject: true).compilations == 1)
            #expect(try Self.program(directory, SeccompPolicy(allow: ["@debug"])).compilations == 1)
            #expect(try Self.program(directory, SeccompPolicy(allow: ["@debug"], quiet: ["mount"])).compilations == 1)
            #expect(try Self.program(directory) { $0.library = "2.99.0" }.compilations == 1)
            #expect(try Self.program(directory) { $0.program = "another build" }.compilations == 1)
            #expect(try Self.names(directory).count == 7)
            #expect(try Self.program(directory).compilations == 0)
        }
    }

    /// Neighbours beyond 2^53 are one double, and one number of canonical JSON.
    @Test func everyBitOfAFilesNumbersCounts() async throws {
        try await Host.withDirectory { place in
            let numbers: [UInt64] = [1 << 53, 1 << 53 + 1, 1 << 62 + 1, .max - 1, .max]
            var digests: Set<Digest> = []
            for (index, number) in numbers.enumerated() {
                let argument = OCISeccomp.Argument(index: 0, value: number, second: 0, comparison: .equal)
                var file = OCISeccomp(path: "f", defaultAction: .allow, defaultErrno: 1, rules: [], unknown: [])
                file.rules = [
                    OCISeccomp.Rule(
                        names: ["getpgid"], action: .fail, errno: 38, arguments: [argument],
                        includes: OCISeccomp.Circumstances(), excludes: OCISeccomp.Circumstances())
                ]
                let policy = SeccompPolicy(file: file)
                #expect(try Self.program(place + "/filters", policy).compilations == 1)
                #expect(try Self.names(place + "/filters").count == index + 1)
                digests.insert(policy.digest)
                let again: OCISeccomp = try JSON(encoding: file).decode()
                #expect(again == file)
            }
            #expect(digests.count == numbers.count)
        }
    }

    @Test func whereItCannotBeToldWhatMadeItNothingIsStored() async throws {
        try await Host.withDirectory { place in
            for _ in 0..<2 {
                #expect(try Self.program(place + "/filters") { $0.program = nil }.compilations == 1)
                #expect(try Self.program(place + "/filters") { $0.library = nil }.compilations == 1)
            }
            let made = try Files.status(place + "/filters")
            #expect(made == nil)
        }
    }

    /// What is done to the stored file or its directory; each time the filter is compiled, and is the right one.
    @Test(
        "what is not this user's own, or is damaged, is never loaded",
        arguments: [
            "another profile's", "written to", "cut short", "emptied", "other user's", "others may write", "a link",
            "a fifo",
            "directory of another's", "directory that others may write to", "directory by a link",
        ])
    func untrusted(how: String) async throws {
        guard Host.isRoot || !how.contains("other") else { return }
        try await Host.withDirectory { place in
            let directory = place + "/filters"
            let good = try Self.program(directory)
            let file = directory + "/" + (try #require(try Self.names(directory).first))
            var user = geteuid()
            switch how {
            case "another profile's":
                let other = place + "/other"
                _ = try Self.program(other, SeccompPolicy(allow: ["@debug"]))
                let content = try Files.read(other + "/" + (try #require(try Self.names(other).first)))
                try Files.writeAtomically(file, content)
            case "written to":
                var bytes = try Files.read(file)
                bytes[bytes.count - 3] ^= 1
                try Files.writeAtomically(file, bytes)
            case "cut short": try Files.writeAtomically(file, try Files.read(file).dropLast(8))
            case "emptied": try Files.writeAtomically(file, Data())
            case "other user's": try #require(chown(file, 65534, 65534) == 0)
            case "others may write": try Files.chmod(file, 0o622)
            case "a link":
                try Files.rename(file, place + "/elsewhere")
                try Files.symlink(BytePath(place + "/elsewhere"), at: file)
            case "a fifo":
                try Files.unlink(file)
                try #require(mkfifo(file, 0o600) == 0)
            case "directory of another's": user += 1
            case "directory that others may write to": try Files.chmod(directory, 0o777)
            default:
                try Files.rename(directory, place + "/moved")
                try Files.symlink(BytePath(place + "/moved"), at: directory)
            }
            let again = try Self.program(directory) { $0.user = user }
            #expect(again.compilations == 1)
            #expect(again.bytes == good.bytes)
        }
    }

    @Test func whatIsNotUsedAnyMoreGoes() async throws {
        try await Host.withDirectory { place in
            let directory = place + "/filters"
            for number in 0..<StoredFilters.most { _ = try Self.program(directory) { $0.library = "\(number)" } }
            #expect(try Self.names(directory).count == StoredFilters.most)
            #expect(try Self.program(directory).compilations == 1)
            #expect(try Self.names(directory).count == 1)
        }
    }

    @Test func whatProcessOneNeedsIsLookedAtEachTime() async throws {
        try await Host.withDirectory { place in
            for _ in 0..<2 {
                #expect(throws: SandboxError.self) {
                    try Self.program(place + "/filters", SeccompPolicy(deny: ["execve"]))
                }
            }
        }
    }

    @Test func whereNothingCanBeStoredTheFilterIsCompiled() async throws {
        try await Host.withDirectory { place in
            try Files.writeAtomically(place + "/file", Data("x".utf8))
            for _ in 0..<2 { #expect(try Self.program(place + "/file/filters").compilations == 1) }
        }
    }
}
