/// A small reader of XML 1.0 for reports: elements and attributes, nothing else.
///
/// Reports are written inside sandboxes, by anyone. So there are no entities but the five of XML and character
/// references, a document type declaration is passed over without being obeyed (Cobertura writes one) and refused when it
/// declares anything, nothing is ever fetched, and depth and attributes are bounded.
struct MarkupReader {
    /// An event of the document.
    enum Event: Equatable {
        case start(name: String, attributes: [String: String])
        case end(name: String)
    }

    /// A defect of the document.
    struct Malformed: Error, Equatable {
        var line: Int
        var why: String
    }

    private static let deepest = 256
    private static let mostAttributes = 256

    private let bytes: [UInt8]
    private var index = 0
    private var open: [String] = []
    private var pendingEnd: String?
    private var sawRoot = false

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    /// The next event, or `nil` at the document's proper end.
    mutating func next() throws(Malformed) -> Event? {
        if let name = pendingEnd {
            pendingEnd = nil
            open.removeLast()
            return .end(name: name)
        }
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "<") else {
                // Text says nothing to us, but outside of the root there must be none.
                if open.isEmpty, !Self.isBlank(bytes[index]) { throw defect("text outside of the root element") }
                index += 1
                continue
            }
            if skip("<!--") {
                try skipPast("-->", "a comment")
            } else if skip("<![CDATA[") {
                guard !open.isEmpty else { throw defect("text outside of the root element") }
                try skipPast("]]>", "a CDATA section")
            } else if skip("<?") {
                try skipPast("?>", "a processing instruction")
            } else if skip("<!DOCTYPE") {
                try skipDocumentType()
            } else if skip("</") {
                return try endTag()
            } else {
                index += 1
                return try startTag()
            }
        }
        guard open.isEmpty else { throw defect("the document ends inside of <\(open[open.count - 1])>") }
        guard sawRoot else { throw defect("there is no element in it") }
        return nil
    }

    private mutating func startTag() throws(Malformed) -> Event {
        let name = try takeName("an element's name")
        if open.isEmpty, sawRoot { throw defect("there is more than one root element") }
        guard open.count < Self.deepest else { throw defect("elements are nested more than \(Self.deepest) deep") }
        sawRoot = true
        var attributes: [String: String] = [:]
        while true {
            let spaced = skipBlanks()
            guard index < bytes.count else { throw defect("the document ends inside of a tag") }
            if skip("/>") {
                open.append(name)
                pendingEnd = name
                return .start(name: name, attributes: attributes)
            }
            if skip(">") {
                open.append(name)
                return .start(name: name, attributes: attributes)
            }
            guard spaced else { throw defect("a blank is missing before an attribute of <\(name)>") }
            let key = try takeName("an attribute's name")
            skipBlanks()
            guard skip("=") else { throw defect("the attribute \(key) has no value") }
            skipBlanks()
            let value = try takeValue(of: key)
            guard attributes.updateValue(value, forKey: key) == nil else {
                throw defect("the attribute \(key) is there twice")
            }
            guard attributes.count <= Self.mostAttributes else { throw defect("<\(name)> has too many attributes") }
        }
    }

    private mutating func endTag() throws(Malformed) -> Event {
        let name = try takeName("an element's name")
        skipBlanks()
        guard skip(">") else { throw defect("</\(name) is not closed") }
        guard open.last == name else {
            throw defect("</\(name)> closes " + (open.last.map { "<\($0)>" } ?? "nothing"))
        }
        open.removeLast()
        return .end(name: name)
    }

    private mutating func takeName(_ what: String) throws(Malformed) -> String {
        let start = index
        while index < bytes.count, Self.isNameByte(bytes[index]) { index += 1 }
        guard index > start, index - start <= 512 else { throw defect("\(what) was expected") }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    private mutating func takeValue(of key: String) throws(Malformed) -> String {
        guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") || bytes[index] == UInt8(ascii: "'") else {
            throw defect("the value of \(key) is not in quotes")
        }
        let quote = bytes[index]
        index += 1
        var value: [UInt8] = []
        while index < bytes.count, bytes[index] != quote {
            if bytes[index] == UInt8(ascii: "<") { throw defect("the value of \(key) holds a bare <") }
            if bytes[index] == UInt8(ascii: "&") {
                value += try takeReference()
            } else {
                value.append(bytes[index])
                index += 1
            }
        }
        guard index < bytes.count else { throw defect("the value of \(key) has no end") }
        index += 1
        return String(decoding: value, as: UTF8.self)
    }

    private mutating func takeReference() throws(Malformed) -> [UInt8] {
        guard let end = bytes[index...].prefix(16).firstIndex(of: UInt8(ascii: ";")) else {
            throw defect("a bare & in a value")
        }
        let name = String(decoding: bytes[(index + 1)..<end], as: UTF8.self)
        index = end + 1
        switch name {
        case "lt": return Array("<".utf8)
        case "gt": return Array(">".utf8)
        case "amp": return Array("&".utf8)
        case "quot": return Array("\"".utf8)
        case "apos": return Array("'".utf8)
        default: break
        }
        let code =
            name.hasPrefix("#x")
            ? UInt32(name.dropFirst(2), radix: 16) : name.hasPrefix("#") ? UInt32(name.dropFirst()) : nil
        guard let code, let scalar = Unicode.Scalar(code) else {
            throw defect("the entity &\(name); is not known here")
        }
        return Array(String(Character(scalar)).utf8)
    }

    private mutating func skipDocumentType() throws(Malformed) {
        guard !sawRoot else { throw defect("a document type declaration inside of the document") }
        while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "["):
                throw defect("its document type declares things of its own, which is refused (entities can be bombs)")
            case UInt8(ascii: ">"):
                index += 1
                return
            case let quote where quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'"):
                guard let end = bytes[(index + 1)...].firstIndex(of: quote) else {
                    throw defect("a quote in the document type has no end")
                }
                index = end + 1
            default: index += 1
            }
        }
        throw defect("the document type declaration has no end")
    }

    private mutating func skip(_ token: StaticString) -> Bool {
        let length = token.utf8CodeUnitCount
        guard bytes.count - index >= length else { return false }
        let matches = token.withUTF8Buffer { bytes[index..<(index + length)].elementsEqual($0) }
        if matches { index += length }
        return matches
    }

    private mutating func skipPast(_ token: StaticString, _ what: String) throws(Malformed) {
        while index < bytes.count {
            if skip(token) { return }
            index += 1
        }
        throw defect("\(what) has no end")
    }

    @discardableResult
    private mutating func skipBlanks() -> Bool {
        let start = index
        while index < bytes.count, Self.isBlank(bytes[index]) { index += 1 }
        return index > start
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || (9...13).contains(byte) }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (48...58).contains(byte) || (65...90).contains(byte) || (97...122).contains(byte) || byte == 95 || byte == 45
            || byte == 46 || byte >= 128
    }

    private func defect(_ why: String) -> Malformed {
        Malformed(line: 1 + bytes[..<min(index, bytes.count)].count { $0 == 10 }, why: why)
    }
}
