public import FoundationEssentials

private let hexadecimalDigits = Array("0123456789abcdef".utf8)

extension Data {
    /// Lower-case hexadecimal digits, two a byte.
    public var hexadecimal: String {
        var text: [UInt8] = []
        text.reserveCapacity(count * 2)
        for byte in self {
            text.append(hexadecimalDigits[Int(byte >> 4)])
            text.append(hexadecimalDigits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// Reads hexadecimal digits of either case; `nil` when the count is odd or another character occurs.
    public init?(hexadecimal text: some StringProtocol) {
        var result = Data(capacity: text.utf8.count / 2)
        var high: UInt8?
        for character in text.utf8 {
            let value: UInt8
            switch character {
            case 48...57: value = character - 48
            case 97...102: value = character - 87
            case 65...70: value = character - 55
            default: return nil
            }
            if let first = high {
                result.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        guard high == nil else { return nil }
        self = result
    }

    /// Base64 with the URL-safe alphabet and no padding (RFC 4648, section 5).
    public var base64URL: String {
        var text = base64EncodedString()
        text = text.replacing("+", with: "-").replacing("/", with: "_")
        while text.hasSuffix("=") { text.removeLast() }
        return text
    }

    /// Reads base64url without padding; `nil` for anything else, the standard alphabet included.
    public init?(base64URL text: String) {
        guard !text.utf8.contains(where: { $0 == 43 || $0 == 47 || $0 == 61 }) else { return nil }
        var standard = text.replacing("-", with: "+").replacing("_", with: "/")
        while standard.utf8.count % 4 != 0 { standard.append("=") }
        // Bits beyond the last whole byte would give the same bytes a second spelling (RFC 4648, section 3.5).
        guard let data = Data(base64Encoded: standard), data.base64URL == text else { return nil }
        self = data
    }
}
