/// One thing wrong with a file that a person wrote.
public struct Problem: Sendable, Hashable, CustomStringConvertible {
    /// The file's name as the person gave it.
    public let file: String
    /// The line, from 1; `nil` when the whole file is meant.
    public let line: Int?
    /// The key's path, as in `goals.latency_p95.improves`; empty for the top.
    public let path: String
    /// What is wrong and what was expected.
    public let message: String

    public init(file: String, line: Int?, path: String, message: String) {
        self.file = file
        self.line = line
        self.path = path
        self.message = message
    }

    public var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return path.isEmpty ? "\(place): \(message)" : "\(place): \(path): \(message)"
    }
}

/// Everything wrong with a file, all at once, so that a person mends it in one go.
public struct Problems: Error, Sendable, CustomStringConvertible {
    public let all: [Problem]

    public init(_ all: [Problem]) {
        self.all = all
    }

    public var description: String { all.map(\.description).joined(separator: "\n") }
}
