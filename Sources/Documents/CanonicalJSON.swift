public import FoundationEssentials

extension JSON {
    /// This value as RFC 8785 (JSON Canonicalization Scheme) writes it: keys sorted by UTF-16 code units, no white space,
    /// numbers as ECMAScript prints them. Numbers that JSON cannot carry (NaN, infinities) become `null`.
    public var canonical: Data {
        var output: [UInt8] = []
        write(to: &output)
        return Data(output)
    }

    /// ``canonical`` as text.
    public var canonicalText: String { String(decoding: canonical, as: UTF8.self) }

    private func write(to output: inout [UInt8]) {
        switch self {
        case .null: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .integer(let value): output += Self.integerText(value).utf8
        case .number(let value): output += Self.numberText(value).utf8
        case .string(let value): Self.write(value, to: &output)
        case .array(let items):
            output.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                item.write(to: &output)
            }
            output.append(UInt8(ascii: "]"))
        case .object(let members):
            output.append(UInt8(ascii: "{"))
            let sorted = members.sorted { $0.key.utf16.lexicographicallyPrecedes($1.key.utf16) }
            for (index, member) in sorted.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                Self.write(member.key, to: &output)
                output.append(UInt8(ascii: ":"))
                member.value.write(to: &output)
            }
            output.append(UInt8(ascii: "}"))
        }
    }

    fileprivate static func write(_ text: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\""))
        // Nearly every text stays as it is.
        let isWritten =
            text.utf8.withContiguousStorageIfAvailable { bytes in
                for byte in bytes where byte < 32 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                    return false
                }
                output.append(contentsOf: bytes)
                return true
            } ?? false
        if isWritten {
            output.append(UInt8(ascii: "\""))
            return
        }
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""): output += "\\\"".utf8
            case UInt8(ascii: "\\"): output += "\\\\".utf8
            case 8: output += "\\b".utf8
            case 9: output += "\\t".utf8
            case 10: output += "\\n".utf8
            case 12: output += "\\f".utf8
            case 13: output += "\\r".utf8
            case 0..<32:
                output += "\\u00".utf8
                output += Data([byte]).hexadecimal.utf8
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    /// Integers beyond 2^53 are what a double makes of them, as RFC 8785 demands.
    private static func integerText(_ value: Int64) -> String {
        value.magnitude <= 1 << 53 ? String(value) : numberText(Double(value))
    }

    /// ECMAScript's Number::toString (ECMA-262, 6.1.6.1.20), built on Swift's shortest round-trip digits.
    static func numberText(_ value: Double) -> String {
        guard value.isFinite else { return "null" }
        if value == 0 { return "0" }
        let (digits, exponent) = decimal(value.magnitude)
        let count = digits.count
        var text = value < 0 ? "-" : ""
        let point = exponent
        if count <= point, point <= 21 {
            text += digits + String(repeating: "0", count: point - count)
        } else if 0 < point, point <= 21 {
            text += digits.prefix(point) + "." + digits.dropFirst(point)
        } else if -6 < point, point <= 0 {
            text += "0." + String(repeating: "0", count: -point) + digits
        } else {
            let power = point - 1
            text += digits.prefix(1)
            if count > 1 { text += "." + digits.dropFirst(1) }
            text += "e" + (power < 0 ? "-" : "+") + String(power.magnitude)
        }
        return text
    }

    /// Shortest digits d1d2… and n with value = 0.d1d2… x 10^n.
    private static func decimal(_ value: Double) -> (digits: String, exponent: Int) {
        let parts = "\(value)".split(separator: "e", maxSplits: 1)
        var exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
        let mantissa = parts[0].split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        var digits = String(mantissa[0])
        exponent += digits.count
        if mantissa.count > 1 { digits += mantissa[1] }
        while digits.hasPrefix("0"), digits.count > 1 {
            digits.removeFirst()
            exponent -= 1
        }
        while digits.hasSuffix("0"), digits.count > 1 { digits.removeLast() }
        return (digits, exponent)
    }
}

/// Writes one object of strings as ``JSON/canonical`` would, without making a value of it first: for documents of many entries.
public struct CanonicalObject: Sendable {
    /// The bytes so far; whole after ``finish()``.
    public private(set) var bytes: [UInt8] = [UInt8(ascii: "{")]

    public init() {}

    /// Adds a member. Members must come in the order of their keys' UTF-16 code units.
    public mutating func add(_ key: String, _ value: String) {
        begin(key)
        JSON.write(value, to: &bytes)
    }

    /// Adds a member of any kind.
    public mutating func add(_ key: String, _ value: JSON) {
        add(key, canonical: value.canonical)
    }

    /// Adds a member whose value is in its canonical form already.
    public mutating func add(_ key: String, canonical value: Data) {
        begin(key)
        bytes += value
    }

    /// Closes the object.
    public mutating func finish() { bytes.append(UInt8(ascii: "}")) }

    private mutating func begin(_ key: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        JSON.write(key, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
    }
}
