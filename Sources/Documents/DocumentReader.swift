/// Reads a YAML (or JSON) file that a person wrote and gathers every problem in it before it is refused.
///
/// ```swift
/// let reader = DocumentReader(file: "mission.yaml", text: text)
/// let title = reader.root?.mapping(keys: ["title"])?["title"]?.string()
/// try reader.finish()
/// ```
///
/// A reader belongs to one task; it is a class so that the fields it hands out report to one list.
public final class DocumentReader {
    /// The name used in problems.
    public let file: String
    /// The top of the document; `nil` when it is empty or not YAML (a problem says which).
    public private(set) var root: Field?
    /// What is wrong so far, in the order it was found.
    public private(set) var problems: [Problem] = []

    /// Parses `text`. At most 4 MiB, 64 levels deep, and no aliases: a mission or policy file needs none, and they can
    /// make a small file huge.
    public init(file: String, text: String) {
        self.file = file
        guard text.utf8.count <= 4 << 20 else {
            report(line: nil, path: "", "the file has \(text.utf8.count) bytes; at most 4 MiB are read.")
            return
        }
        do throws(YAMLNode.Refusal) {
            guard let node = try YAMLNode.parse(text) else {
                report(line: nil, path: "", "the file is empty; expected a mapping of keys to values.")
                return
            }
            root = Field(reader: self, node: node, path: "")
        } catch {
            report(line: error.line, path: "", error.problem)
        }
    }

    /// Throws ``Problems`` when any were reported.
    public func finish() throws {
        if !problems.isEmpty { throw Problems(problems) }
    }

    /// Adds a problem.
    public func report(line: Int?, path: String, _ message: String) {
        problems.append(Problem(file: file, line: line, path: Self.shown(path), message: Self.shown(message)))
    }

    /// What a person wrote can hold characters that a terminal obeys, or that hide or reorder text: they are shown as what
    /// they are.
    private static func shown(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
