internal import CYaml

/// A first pass over a YAML text, event by event, before anything is built of it.
///
/// An alias can make a small file unfold to a huge one, and merely comparing keys would unfold it. So what Grace doesn't read is
/// refused here, where every event is looked at once.
enum YAMLEvents {
    static let deepest = 64

    /// The line and the reason why a text is not read; `nil` when it may be. Text that is no YAML is left to the parser,
    /// which says so better.
    static func refusal(of text: String) -> (line: Int, problem: String)? {
        var parser = yaml_parser_t()
        guard yaml_parser_initialize(&parser) == 1 else { return (1, "there is no memory to read the file.") }
        defer { yaml_parser_delete(&parser) }
        let bytes = Array(text.utf8)
        return bytes.withUnsafeBufferPointer { buffer in
            yaml_parser_set_input_string(&parser, buffer.baseAddress, buffer.count)
            yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
            var depth = 0
            while true {
                var event = yaml_event_t()
                guard yaml_parser_parse(&parser, &event) == 1 else { return nil }
                defer { yaml_event_delete(&event) }
                let line = Int(event.start_mark.line) + 1
                switch event.type {
                case YAML_STREAM_END_EVENT: return nil
                case YAML_ALIAS_EVENT: return (line, "aliases (*name) are not read; write the value out.")
                case YAML_SEQUENCE_START_EVENT, YAML_MAPPING_START_EVENT:
                    depth += 1
                    if depth > deepest { return (line, "the document nests more than \(deepest) levels.") }
                case YAML_SEQUENCE_END_EVENT, YAML_MAPPING_END_EVENT: depth -= 1
                default: break
                }
            }
        }
    }
}
