internal import Documents
internal import FoundationEssentials

/// The query of a URL, decoded as forms are (WHATWG URL, application/x-www-form-urlencoded): `+` is a space.
struct Query: Sendable {
    private(set) var values: [String: String] = [:]

    /// Throws a ``Refusal`` for bad percent-encoding, bytes that are not UTF-8, and a key that is given twice.
    init(_ text: String?) throws {
        for part in (text ?? "").split(separator: "&") {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let key = try Self.decode(pair[0], plus: true)
            let value = pair.count > 1 ? try Self.decode(pair[1], plus: true) : ""
            guard values.updateValue(value, forKey: key) == nil else {
                throw Refusal.malformed("The query gives “\(key.prefix(60))” twice; give it once.")
            }
        }
    }

    subscript(key: String) -> String? { values[key] }

    /// Decodes `%41`; anything that is not UTF-8 afterwards is refused.
    static func decode(_ text: some StringProtocol, plus: Bool) throws -> String {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "%"):
                guard rest.count >= 2, let data = Data(hexadecimal: String(decoding: rest.prefix(2), as: UTF8.self)),
                    let value = data.first
                else { throw Refusal.malformed("The URL has a “%” that two hexadecimal digits do not follow.") }
                bytes.append(value)
                rest = rest.dropFirst(2)
            case UInt8(ascii: "+") where plus: bytes.append(UInt8(ascii: " "))
            default: bytes.append(byte)
            }
        }
        guard let decoded = String(validating: bytes, as: UTF8.self), !decoded.utf8.contains(0) else {
            throw Refusal.malformed("The URL does not hold UTF-8 text where it is expected.")
        }
        return decoded
    }
}
