import Glibc
import Linux
import Testing

/// The programs of this build.
enum Products {
    /// The test bundle is mapped into this process and lies among the products.
    static func path(_ name: String) throws -> String {
        for line in try Files.readString("/proc/self/maps").split(separator: "\n") where line.hasSuffix(".xctest") {
            guard let start = line.firstIndex(of: "/"), let end = line.lastIndex(of: "/"), start < end else { continue }
            let candidate = "\(line[start..<end])/\(name)"
            if access(candidate, X_OK) == 0 { return candidate }
        }
        Issue.record("\(name) is not among the products of this build; build everything first")
        throw SystemError(call: "find program", subject: name, code: ENOENT)
    }
}
