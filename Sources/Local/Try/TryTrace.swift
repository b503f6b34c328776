internal import FoundationEssentials
internal import Glibc
internal import Linux

/// `-t PATH`: which paths the command read and which it wrote, in the order of their first use, as strace(1) saw them.
enum TryTrace {
    /// Where the log lies inside; no part of summary or commit.
    static let log = "/var/tmp/.grace-try-trace"

    static func wrap(_ command: [String]) throws -> [String] {
        guard let strace = try? Processes.locate("strace", path: Processes.variable("PATH")) else {
            throw Failure("-t needs strace on this host: apt-get install strace.", code: 2)
        }
        return [strace, "-f", "-qq", "-s", "4096", "-y", "-e", "trace=%file,fork,clone", "-o", log, "--"] + command
    }

    static func write(_ fork: TryFork, to path: String) throws {
        let file = fork.directory + "/upperdir" + log
        guard try Files.status(file) != nil else {
            throw Failure("strace wrote no log, so \(path) was not written.", code: 125)
        }
        let (reads, writes) = effects(of: try Files.readString(file, limit: 1 << 30))
        try Files.unlink(file)
        let text = (["#reads"] + reads + ["#writes"] + writes).joined(separator: "\n") + "\n"
        try ReportFile.write(Data(text.utf8), to: path)
    }

    /// The paths of calls that succeeded. strace's own escaping of them stays.
    static func effects(of log: String) -> (reads: [String], writes: [String]) {
        let writing: Set<Substring> = [
            "mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat",
            "symlink",
            "symlinkat", "chmod", "fchmodat", "chown", "lchown", "fchownat", "truncate", "mknod", "mknodat",
            "utimensat",
            "setxattr", "lsetxattr", "removexattr", "creat", "utime", "utimes",
        ]
        var (reads, writes): ([String], [String]) = ([], [])
        var seen: Set<String> = []
        for line in log.split(separator: "\n") {
            let call = line.drop { $0.isNumber || $0 == " " }
            guard let open = call.firstIndex(of: "("), let end = call.range(ofLast: ") = "),
                !call[end...].hasPrefix(") = -1"), !call[end...].hasPrefix(") = ?")
            else { continue }
            let name = call[..<open]
            let arguments = call[call.index(after: open)..<end]
            let flags = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
            let isWrite = writing.contains(name) || name.hasPrefix("open") && flags.contains { arguments.hasText($0) }
            // A relative path lies below the directory that strace names in angle brackets before it.
            let directory = arguments.split(separator: "<", maxSplits: 1).dropFirst().first?.prefix { $0 != ">" }
            for (index, part) in arguments.split(separator: "\"", omittingEmptySubsequences: false).enumerated()
            where index % 2 == 1 {
                if name == "execve" && index > 1 { break }
                let path = part.hasPrefix("/") ? String(part) : "\(directory.map { String($0) + "/" } ?? "")\(part)"
                guard seen.insert((isWrite ? "w" : "r") + path).inserted else { continue }
                if isWrite { writes.append(path) } else { reads.append(path) }
            }
        }
        return (reads, writes)
    }
}

extension Substring {
    /// Where the last `text` begins.
    fileprivate func range(ofLast text: String) -> Index? {
        var index = endIndex
        while index > startIndex {
            index = self.index(before: index)
            if self[index...].hasPrefix(text) { return index }
        }
        return nil
    }

    fileprivate func hasText(_ text: String) -> Bool { range(ofLast: text) != nil }
}
