internal import Documents
internal import Linux

/// Why a profile could not be had.
public enum ProfileError: Error, Sendable, CustomStringConvertible, Equatable {
    case unknown(name: String, searched: [String], known: [String])
    case badName(String)
    case circular([String])
    case unreadable(file: String, reason: String)

    public var description: String {
        switch self {
        case .unknown(let name, let searched, let known):
            let list = known.isEmpty ? "none is there" : "there are \(known.joined(separator: ", "))"
            return "No sandbox profile is called “\(name)”: searched \(searched.joined(separator: ", ")); \(list)."
        case .badName(let name):
            return "“\(name)” is no name of a profile: use letters, digits, “-” and “_”."
        case .circular(let names):
            return
                "The profiles \(names.joined(separator: " → ")) extend each other in a circle; take one “extends” out."
        case .unreadable(let file, let reason):
            return "The profile \(file) cannot be read: \(reason)"
        }
    }
}

/// The profiles in some directories: `NAME.yaml` each, the first directory that has the name wins.
public struct ProfileLibrary: Sendable {
    public let directories: [String]

    public init(directories: [String]) {
        self.directories = directories
    }

    /// The names of every profile found, sorted.
    public func names() -> [String] {
        var found: Set<String> = []
        for directory in directories {
            for entry in (try? Files.entries(directory)) ?? [] {
                guard let name = String(validating: entry, as: UTF8.self), name.hasSuffix(".yaml") else { continue }
                let stem = String(name.dropLast(5))
                if Self.isName(stem) { found.insert(stem) }
            }
        }
        return found.sorted()
    }

    /// A profile with everything it extends resolved.
    ///
    /// - Throws: ``ProfileError``, or `Problems` when a file has mistakes.
    public func profile(named name: String) throws -> Profile {
        try profile(named: name, below: [])
    }

    private func profile(named name: String, below: [String]) throws -> Profile {
        guard Self.isName(name) else { throw ProfileError.badName(name) }
        guard !below.contains(name) else { throw ProfileError.circular(below + [name]) }
        let candidates = directories.map { "\($0)/\(name).yaml" }
        guard let file = candidates.first(where: { (try? Files.status($0)).flatMap { $0 } != nil }) else {
            throw ProfileError.unknown(name: name, searched: directories, known: names())
        }
        let text: String
        do {
            text = try Files.readString(file)
        } catch {
            throw ProfileError.unreadable(file: file, reason: "\(error)")
        }
        // The `extends` of a file is read first, without the rest: problems in the rest are reported once, by the second reading.
        let extends = DocumentReader(file: file, text: text).root?.mapping()?["extends"]?.string()
        let base = try extends.map { try profile(named: $0, below: below + [name]) }
        return try Profile.parse(file: file, text: text, base: base)
    }

    static func isName(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.count <= 64
            && text.utf8.allSatisfy {
                (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 95
            }
    }
}
