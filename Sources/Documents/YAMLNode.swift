internal import CYaml

/// One value of a YAML text, as it is written: no tags are resolved, so that `no` is a word and `1e3` has not become a number.
struct YAMLNode: Sendable {
    enum Content: Sendable {
        /// `isPlain`: written without quotes, and so possibly a number, a truth value or null.
        case scalar(String, isPlain: Bool)
        case sequence([YAMLNode])
        /// In the order they are written.
        case mapping([(key: YAMLNode, value: YAMLNode)])
    }

    var content: Content
    /// The line on which the value begins, from 1.
    var line: Int

    /// Why a text is not read.
    struct Refusal: Error {
        /// From 1.
        var line: Int
        var problem: String
    }

    static let deepest = 64

    /// Parses a text of one document with libyaml (YAML 1.1, and JSON with it), event by event, so that what Grace doesn't read is
    /// refused before anything is built of it: aliases, which can make a small file unfold to a huge one; documents that nest
    /// more than ``deepest`` levels; keys that occur twice in a mapping.
    ///
    /// - Returns: its value; `nil` where the text holds none.
    /// - Throws: ``Refusal``.
    static func parse(_ text: String) throws(Refusal) -> YAMLNode? {
        // A byte order mark is no part of the text; libyaml would count it as a column.
        var text = text.unicodeScalars.first == "\u{feff}" ? String(text.unicodeScalars.dropFirst()) : text
        // The parser points into the bytes, and to itself, for as long as it lives.
        let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
        defer { parser.deallocate() }
        let result = text.withUTF8 { bytes -> Result<YAMLNode?, Refusal> in
            guard yaml_parser_initialize(parser) == 1 else {
                return .failure(Refusal(line: 1, problem: "there is no memory to read the file."))
            }
            defer { yaml_parser_delete(parser) }
            yaml_parser_set_input_string(parser, bytes.baseAddress, bytes.count)
            yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
            do throws(Refusal) {
                return .success(try document(parser, bytes))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private static func document(
        _ parser: UnsafeMutablePointer<yaml_parser_t>, _ bytes: UnsafeBufferPointer<UInt8>
    ) throws(Refusal) -> YAMLNode? {
        var builder = Builder()
        while true {
            var event = yaml_event_t()
            guard yaml_parser_parse(parser, &event) == 1 else { throw refusal(parser.pointee, bytes) }
            defer { yaml_event_delete(&event) }
            if event.type == YAML_STREAM_END_EVENT { return builder.root }
            try builder.take(event)
        }
    }

    private static func refusal(_ parser: yaml_parser_t, _ bytes: UnsafeBufferPointer<UInt8>) -> Refusal {
        let problem = parser.problem.map { String(cString: $0) } ?? "it cannot be read"
        guard parser.error == YAML_READER_ERROR else {
            let mark = parser.problem_mark
            return Refusal(
                line: Int(mark.line) + 1, problem: "not valid YAML: \(problem) (column \(mark.column + 1)).")
        }
        let before = bytes.prefix(Int(parser.problem_offset))
        return Refusal(
            line: before.count { $0 == 10 } + 1,
            problem: "not valid YAML: \(problem) (byte \(parser.problem_offset) of the file).")
    }

    /// What of the events so far is not finished yet.
    private struct Builder {
        /// A sequence or mapping whose end has not come. Changed where it lies: taken out, its lists would be copied for each member.
        private struct Open {
            var line: Int
            var isMapping: Bool
            var items: [YAMLNode] = []
            var members: [(key: YAMLNode, value: YAMLNode)] = []
            /// The key whose value comes next.
            var key: YAMLNode?
            var names: Set<String> = []

            mutating func add(_ node: YAMLNode) throws(Refusal) {
                guard isMapping else { return items.append(node) }
                if let key {
                    members.append((key, node))
                    self.key = nil
                    return
                }
                if case .scalar(let name, _) = node.content, !names.insert(name).inserted {
                    throw Refusal(line: node.line, problem: "the key \(name.prefix(60)) occurs more than once.")
                }
                key = node
            }

            var node: YAMLNode { YAMLNode(content: isMapping ? .mapping(members) : .sequence(items), line: line) }
        }
        private var open: [Open] = []
        private var documents = 0
        private(set) var root: YAMLNode?

        mutating func take(_ event: yaml_event_t) throws(Refusal) {
            let line = Int(event.start_mark.line) + 1
            switch event.type {
            case YAML_DOCUMENT_START_EVENT:
                documents += 1
                if documents > 1 {
                    throw Refusal(
                        line: line, problem: "not valid YAML here: a second document begins; write one in each file.")
                }
            case YAML_ALIAS_EVENT:
                throw Refusal(line: line, problem: "aliases (*name) are not read; write the value out.")
            case YAML_SCALAR_EVENT:
                let scalar = event.data.scalar
                let text = String(
                    decoding: UnsafeBufferPointer(start: scalar.value, count: scalar.length), as: UTF8.self)
                try add(
                    YAMLNode(content: .scalar(text, isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE), line: line))
            case YAML_SEQUENCE_START_EVENT, YAML_MAPPING_START_EVENT:
                guard open.count < YAMLNode.deepest else {
                    throw Refusal(line: line, problem: "the document nests more than \(YAMLNode.deepest) levels.")
                }
                open.append(Open(line: line, isMapping: event.type == YAML_MAPPING_START_EVENT))
            case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: try add(open.removeLast().node)
            default: break
            }
        }

        private mutating func add(_ node: YAMLNode) throws(Refusal) {
            if open.isEmpty { root = node } else { try open[open.count - 1].add(node) }
        }
    }
}
