internal import FoundationEssentials

/// A strict reader of RFC 8259.
///
/// Foundation's decoder takes trailing commas and lets the last of two equal keys win, and another implementation may take
/// the first: two readers of one signed text could then see two documents. Here both are refused.
struct JSONReader {
    private let bytes: [UInt8]
    private var place = 0
    private static let deepest = 512

    init(_ data: Data) { bytes = Array(data) }

    /// The one value that the text is.
    static func read(_ data: Data) throws -> JSON {
        var reader = JSONReader(data)
        let value = try reader.value(depth: 0)
        reader.space()
        guard reader.place == reader.bytes.count else { throw reader.refuse("something follows the value") }
        return value
    }

    private func refuse(_ reason: String) -> JSONError {
        let line = bytes[..<min(place, bytes.count)].reduce(1) { $0 + ($1 == 10 ? 1 : 0) }
        return JSONError(
            "The text is not valid JSON: \(reason) (line \(line), byte \(place)). Check it with a JSON validator.")
    }

    private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

    private mutating func space() {
        while let byte = next, byte == 32 || byte == 10 || byte == 13 || byte == 9 { place += 1 }
    }

    private mutating func take(_ scalar: Unicode.Scalar) -> Bool {
        guard next == UInt8(ascii: scalar) else { return false }
        place += 1
        return true
    }

    private mutating func value(depth: Int) throws -> JSON {
        guard depth <= Self.deepest else { throw refuse("it nests more than \(Self.deepest) levels") }
        space()
        switch next {
        case UInt8(ascii: "{"): return try object(depth)
        case UInt8(ascii: "["): return try array(depth)
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), (48...57)?: return try number()
        case nil: throw refuse("it ends where a value should be")
        default: throw refuse("a value should be here")
        }
    }

    private mutating func word(_ word: String, _ value: JSON) throws -> JSON {
        guard bytes[place...].starts(with: word.utf8) else { throw refuse("a value should be here") }
        place += word.utf8.count
        return value
    }

    private mutating func array(_ depth: Int) throws -> JSON {
        place += 1
        var items: [JSON] = []
        space()
        if take("]") { return .array(items) }
        while true {
            items.append(try value(depth: depth + 1))
            space()
            if take("]") { return .array(items) }
            guard take(",") else { throw refuse("“,” or “]” should be here") }
        }
    }

    private mutating func object(_ depth: Int) throws -> JSON {
        place += 1
        var members: [String: JSON] = [:]
        space()
        if take("}") { return .object(members) }
        while true {
            space()
            guard next == UInt8(ascii: "\"") else { throw refuse("a key in quotes should be here") }
            let key = try string()
            space()
            guard take(":") else { throw refuse("“:” should be here") }
            // Swift's strings are equal where Unicode calls them canonically equivalent, so such keys are refused as well.
            guard members.updateValue(try value(depth: depth + 1), forKey: key) == nil else {
                throw refuse("the key “\(key.prefix(60))” occurs more than once")
            }
            space()
            if take("}") { return .object(members) }
            guard take(",") else { throw refuse("“,” or “}” should be here") }
        }
    }

    private mutating func number() throws -> JSON {
        let start = place
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { (48...57).contains($0) } ?? false }
        _ = take("-")
        guard isDigit(next) else { throw refuse("a digit should be here") }
        if !take("0") { while isDigit(next) { place += 1 } }
        var whole = true
        if take(".") {
            whole = false
            guard isDigit(next) else { throw refuse("a digit should be here") }
            while isDigit(next) { place += 1 }
        }
        if take("e") || take("E") {
            whole = false
            if !take("+") { _ = take("-") }
            guard isDigit(next) else { throw refuse("a digit should be here") }
            while isDigit(next) { place += 1 }
        }
        let text = String(decoding: bytes[start..<place], as: UTF8.self)
        if whole, let integer = Int64(text) { return .integer(integer) }
        guard let number = Double(text), number.isFinite else {
            throw refuse("the number \(text.prefix(40)) is too large")
        }
        // 1.0 is 1: RFC 8785 writes both alike.
        if let integer = Int64(exactly: number), integer.magnitude <= 1 << 53 { return .integer(integer) }
        return .number(number)
    }

    private mutating func string() throws -> String {
        place += 1
        var text: [UInt8] = []
        while true {
            let plain = bytes[place...].prefix { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") && $0 >= 32 }
            text += plain
            place += plain.count
            guard let byte = next else { throw refuse("a text is not closed") }
            guard byte >= 32 else { throw refuse("a control character must be escaped in a text") }
            place += 1
            if byte == UInt8(ascii: "\"") { break }
            try escape(into: &text)
        }
        guard let result = String(validating: text, as: UTF8.self) else { throw refuse("a text is not UTF-8") }
        return result
    }

    private mutating func escape(into text: inout [UInt8]) throws {
        guard let byte = next else { throw refuse("a text is not closed") }
        place += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(8)
        case UInt8(ascii: "f"): text.append(12)
        case UInt8(ascii: "n"): text.append(10)
        case UInt8(ascii: "r"): text.append(13)
        case UInt8(ascii: "t"): text.append(9)
        case UInt8(ascii: "u"):
            var unit = try hexadecimal()
            if (0xD800...0xDBFF).contains(unit), take("\\"), take("u") {
                let low = try hexadecimal()
                guard (0xDC00...0xDFFF).contains(low) else { throw refuse("half of a surrogate pair stands alone") }
                unit = 0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(unit) else { throw refuse("half of a surrogate pair stands alone") }
            text += Array(String(scalar).utf8)
        default: throw refuse("no such escape exists in a text")
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        guard place + 4 <= bytes.count,
            bytes[place..<(place + 4)].allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
            let value = UInt32(String(decoding: bytes[place..<(place + 4)], as: UTF8.self), radix: 16)
        else { throw refuse("four hexadecimal digits should follow \\u") }
        place += 4
        return value
    }
}
